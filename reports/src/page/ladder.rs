//! The set-up ladder: from friendship to the first picture and the end, as a sequence diagram. A signal is drawn as
//! the server saw it; everything else stands on the line of the device where it happened.

use crate::metric_name::{instant, time};
use kernel::{
    ActorName, Log, SimTime, Track,
    event::{
        Act, Attached, Attack, AttackKind, Audience, EndReason, Event, OpenVerdict, Screen, Setting, Verification,
    },
    plan::Plan,
};
use std::{collections::BTreeSet, fmt::Write};

const WIDTH: i64 = 1_120;
/// Room for the times on the left.
const GUTTER: i64 = 170;
const TOP: i64 = 44;
const ROW: i64 = 24;
/// Rows beyond these are left out in the middle.
const MAX_ROWS: usize = 90;
/// A longer wait is drawn as a gap.
const GAP_US: u64 = 1_000_000;
/// Messages that say nothing about the way to a call.
const QUIET: [&str; 8] = ["sign_up", "signed_in", "attach", "done", "fetch_keys", "keys", "call_row", "register_push"];

/// One row of the ladder.
struct Step {
    at: SimTime,
    from: ActorName,
    to: Option<ActorName>,
    label: String,
    class: &'static str,
    /// How often in a row.
    times: u32,
}

/// The ladder as an SVG element.
pub(crate) fn svg(log: &Log, plan: &Plan) -> String {
    let lanes = lanes(plan);
    let mut steps = steps(log);
    steps.retain(|step| lane_of(&lanes, &step.from).is_some());
    let left_out = steps.len().saturating_sub(MAX_ROWS);
    if left_out > 0 {
        steps.drain(MAX_ROWS - 10..MAX_ROWS - 10 + left_out);
    }
    let mut drawing = Drawing { lanes, body: String::new(), y: TOP + ROW, last: None, noted: Vec::new() };
    for step in &steps {
        drawing.step(step);
    }
    drawing.finish(left_out)
}

/// Devices outside, servers in the middle.
fn lanes(plan: &Plan) -> Vec<ActorName> {
    let devices: Vec<ActorName> = plan.participants.iter().map(|participant| participant.device.clone()).collect();
    let (left, right) = devices.split_at(devices.len().div_ceil(2));
    [left, std::slice::from_ref(&plan.signaling.name), right].concat()
}

fn lane_of(lanes: &[ActorName], actor: &ActorName) -> Option<i64> {
    lanes.iter().position(|lane| lane == actor).map(|lane| lane as i64)
}

fn steps(log: &Log) -> Vec<Step> {
    let mut seen = BTreeSet::new();
    let mut steps: Vec<Step> = Vec::new();
    for (place, record) in log.records.iter().enumerate() {
        let step = match &record.event {
            Event::Attack(attack) => attack_step(record.at, attack, &log.records[place + 1..], &mut seen),
            _ => step(record, &mut seen),
        };
        let Some(step) = step else { continue };
        match steps.last_mut() {
            Some(last) if last.from == step.from && last.to == step.to && last.label == step.label => last.times += 1,
            _ => steps.push(step),
        }
    }
    steps
}

/// The row of an attack, once for each kind, and of claims for each claim: what it met, and what came of it before somebody
/// did something there.
fn attack_step(
    at: SimTime,
    attack: &Attack,
    later: &[kernel::Record],
    seen: &mut BTreeSet<(String, &'static str)>,
) -> Option<Step> {
    let kind = serde_json::to_value(attack.kind).expect("a kind serializes");
    let kind = kind.as_str().unwrap_or_default().replace('_', " ");
    let detail = if attack.kind == AttackKind::ForgeConsent { attack.detail.as_str() } else { "" };
    if !seen.insert((format!("{} {kind} {detail}", attack.target), "attack")) {
        return None;
    }
    let change = later.iter().find_map(|record| match &record.event {
        Event::UserAct(act) if act.device == attack.target => Some(None),
        Event::CallState(moved) if moved.device == attack.target => Some(Some(moved.to)),
        _ => None,
    });
    let outcome = match change.flatten() {
        Some(to) => format!("the call is {to:?} next"),
        None => "nothing moves here before the user does".to_owned(),
    };
    let label = format!("attack, {}: {outcome}", if detail.is_empty() { kind.as_str() } else { detail });
    Some(Step { at, from: attack.target.clone(), to: None, label, class: "denied", times: 1 })
}

/// The row of an event; `seen` remembers what is shown only the first time.
fn step(record: &kernel::Record, seen: &mut BTreeSet<(String, &'static str)>) -> Option<Step> {
    let note = |device: &ActorName, class, label: String| {
        Some(Step { at: record.at, from: device.clone(), to: None, label, class, times: 1 })
    };
    let mut first = |device: &ActorName, what: &'static str| seen.insert((device.to_string(), what));
    match &record.event {
        Event::UserAct(act) => note(&act.device, "user", act_sentence(act.user.as_str(), &act.what)),
        Event::Signal(signal) if !QUIET.contains(&signal.message.as_str()) => Some(Step {
            at: record.at,
            from: signal.from.clone(),
            to: Some(signal.to.clone()),
            label: message_name(&signal.message),
            class: if ["refused", "rejected"].contains(&signal.message.as_str()) { "denied" } else { "message" },
            times: 1,
        }),
        Event::Ring(ring) => note(&ring.device, "ring", format!("rings: {} calls", ring.caller)),
        Event::IceState(ice) => note(&ice.device, "path", format!("ICE {}", ice.state)),
        Event::PairSelected(pair) => {
            let path = if pair.relayed { "relayed" } else { "direct" };
            note(&pair.device, "path", format!("{path} path to {}", pair.remote))
        }
        Event::DtlsConnected(dtls) => note(&dtls.device, "path", "DTLS connected, fingerprint verified".into()),
        Event::KeyUsed(used) if used.seals && first(&used.device, "key") => {
            note(&used.device, "media", "first frame sealed end to end".into())
        }
        Event::Opened(opened) if opened.verdict == OpenVerdict::Accepted && first(&opened.device, "opened") => {
            note(&opened.device, "media", "first frame opened".into())
        }
        Event::AudioPlayed(played) if played.counter.is_some() && first(&played.device, "sound") => {
            note(&played.device, "media", "first sound".into())
        }
        Event::Rendered(rendered) if rendered.track == Track::Video && first(&rendered.device, "picture") => {
            note(&rendered.device, "media", "first picture on the screen".into())
        }
        Event::DeviceAnnounced(seen) => note(&seen.device, "consent", format!("{} signed in", seen.announced)),
        Event::DeviceListSeen(seen) if !seen.taken => {
            note(&seen.device, "denied", format!("refuses a list of {}'s devices", seen.user))
        }
        Event::LoggedOut(out) => note(&out.device, "denied", "logged out".into()),
        Event::RollbackSeen(seen) => note(&seen.device, "denied", "refuses an old copy of the server".into()),
        Event::AppSlept(slept) => note(&slept.device, "path", if slept.asleep { "asleep" } else { "awake" }.into()),
        Event::PushAsked(push) => note(push.device.as_ref()?, "path", "a push is under way".into()),
        Event::ThreadShown(shown) => {
            note(&shown.device, "consent", format!("shows the thread with {}: {} rows", shown.peer, shown.rows))
        }
        Event::PictureShown(shown) => {
            let what = if shown.message.is_some() { "picture" } else { "avatar" };
            match shown.hash {
                Some(_) => note(&shown.device, "consent", format!("shows {}'s {what}", shown.user)),
                None => note(&shown.device, "denied", format!("cannot open {}'s {what}", shown.user)),
            }
        }
        Event::Dns(asked) => note(&asked.device, "denied", format!("asks for {}", asked.name)),
        Event::Ui(shown) => note(&shown.device, "ring", screen_sentence(&shown.screen)?),
        Event::Ended(ended) => {
            note(&ended.device, end_class(ended.reason), format!("over: {}", end_sentence(ended.reason)))
        }
        _ => None,
    }
}

/// Screens that say more than that there is a call.
fn screen_sentence(screen: &Screen) -> Option<String> {
    match screen {
        Screen::Compose { peer, .. } => Some(format!("asks whether to call {peer}")),
        Screen::Incoming { peer, verification: Verification::Changed, .. } => {
            Some(format!("warns: {peer} has other devices than those verified"))
        }
        Screen::Incoming { peer, looks_like: Some(original), .. } => {
            Some(format!("warns: {peer} can be taken for {original}"))
        }
        Screen::Incoming { peer, waits: true, .. } => Some(format!("shows that {peer} calls, beside the call")),
        Screen::HandedOver { peer, from, .. } => {
            Some(format!("asks whether to take the call with {peer} over from {from}"))
        }
        _ => None,
    }
}

/// What passes between peers is sealed: the server sees that there is a message, not which.
fn message_name(message: &str) -> String {
    match message {
        "to_peer" | "from_peer" => format!("sealed, {}", message.replace('_', " ")),
        _ => message.replace('_', " "),
    }
}

fn act_sentence(user: &str, act: &Act) -> String {
    match act {
        Act::RequestFriend { user: other } => format!("{user} asks {other} to be friends"),
        Act::AcceptFriend { user: other } => format!("{user} accepts {other} as a friend"),
        Act::DeclineFriend { user: other } => format!("{user} declines {other}"),
        Act::Unfriend { user: other } => format!("{user} unfriends {other}"),
        Act::Block { user: other } => format!("{user} blocks {other}"),
        Act::CancelRequest { user: other } => format!("{user} takes the request to {other} back"),
        Act::Unblock { user: other } => format!("{user} unblocks {other}"),
        Act::Follow { user: other } => format!("{user} follows {other}"),
        Act::Unfollow { user: other } => format!("{user} follows {other} no longer"),
        Act::LookUp { user: other } => format!("{user} looks {other} up"),
        Act::AskLastSeen { user: other } => format!("{user} asks when {other} was last there"),
        Act::Set { setting } => setting_sentence(user, setting),
        Act::Call { user: other, video } => {
            format!("{user} calls {other}{}", if *video { ", video" } else { ", voice" })
        }
        Act::Accept { video } => format!("{user} accepts{}", if *video { ", video" } else { ", voice" }),
        Act::Decline => format!("{user} declines"),
        Act::Cancel => format!("{user} cancels"),
        Act::HangUp => format!("{user} hangs up"),
        Act::CameraOff => format!("{user} switches the camera off"),
        Act::CameraOn => format!("{user} switches the camera on"),
        Act::Mute => format!("{user} mutes"),
        Act::Unmute => format!("{user} unmutes"),
        Act::Hold => format!("{user} puts the call on hold"),
        Act::Resume => format!("{user} takes the call up again"),
        Act::HandOver { device } => format!("{user} hands the call over to {device}"),
        Act::AcceptWaiting { video } => {
            format!("{user} takes the call that waits{}", if *video { ", video" } else { ", voice" })
        }
        Act::DeclineWaiting => format!("{user} declines the call that waits"),
        Act::ConfirmDevice { device } => format!("{user} confirms {device}"),
        Act::RemoveDevice { device } => format!("{user} logs {device} out"),
        Act::Write { user: other, attached, .. } => match attached {
            None => format!("{user} writes to {other}"),
            Some(Attached::Picture) => format!("{user} sends {other} a picture"),
            Some(Attached::Location) => format!("{user} tells {other} the place"),
        },
        Act::SendAnyway { user: other } => format!("{user} sends it to {other} all the same"),
        Act::Read { user: other } => format!("{user} reads what {other} wrote"),
        Act::AcceptMessages { user: other } => format!("{user} agrees to read what {other} writes"),
        Act::DeclineMessages { user: other } => format!("{user} does not agree to read what {other} writes"),
        Act::SetAvatar => format!("{user} shows another avatar"),
        Act::ChangePassword { .. } => format!("{user} changes the password"),
        Act::ResetPassword { .. } => format!("{user} forgot the password"),
        Act::SignIn { .. } => format!("{user} signs in"),
        Act::EndOtherSessions => format!("{user} logs all other devices out"),
        Act::Sleep => format!("{user} puts the app away"),
        Act::Lock => format!("{user} locks the device"),
        Act::Unlock => format!("{user} unlocks the device"),
        Act::OpenLink { link } => format!("{user} opens {link}"),
        Act::DenyAccess { track } => format!("{user} denies the app {track}"),
        Act::AllowAccess { track } => format!("{user} allows the app {track}"),
        Act::Verify { user: other } => format!("{user} compared the safety number with {other}"),
    }
}

fn setting_sentence(user: &str, setting: &Setting) -> String {
    let whom = |whom: &Audience| match whom {
        Audience::Friends => "friends",
        Audience::CloseFriends => "close friends",
        Audience::Nobody => "nobody",
    };
    match setting {
        Setting::Callers(audience) => format!("{user} lets {} call", whom(audience)),
        Setting::LastSeen(audience) => format!("{user} shows {} when last there", whom(audience)),
        Setting::CloseFriend { user: other, listed: true } => format!("{user} makes {other} a close friend"),
        Setting::CloseFriend { user: other, listed: false } => format!("{user} takes {other} off the close friends"),
    }
}

fn end_class(reason: EndReason) -> &'static str {
    match reason {
        EndReason::HungUp | EndReason::PeerHungUp => "user",
        _ => "denied",
    }
}

fn end_sentence(reason: EndReason) -> &'static str {
    match reason {
        EndReason::HungUp => "hung up",
        EndReason::PeerHungUp => "the peer hung up",
        EndReason::Declined => "declined",
        EndReason::Cancelled => "cancelled",
        EndReason::Unanswered => "unanswered",
        EndReason::Unavailable => "unavailable",
        EndReason::Busy => "busy",
        EndReason::Elsewhere => "answered elsewhere",
        EndReason::Unfriended => "no longer friends",
        EndReason::Security => "security failure",
        EndReason::Failed => "no path",
        EndReason::Crossed => "both called at once",
        EndReason::HandedOver => "another device took it over",
    }
}

struct Drawing {
    lanes: Vec<ActorName>,
    body: String,
    y: i64,
    last: Option<SimTime>,
    /// Lanes that have a note in the row drawn last.
    noted: Vec<i64>,
}

impl Drawing {
    fn x(&self, lane: i64) -> i64 {
        let room = (WIDTH - GUTTER) / self.lanes.len().max(1) as i64;
        GUTTER + room / 2 + lane * room
    }

    fn step(&mut self, step: &Step) {
        let from = lane_of(&self.lanes, &step.from).unwrap_or_default();
        let times = if step.times > 1 { format!(" ×{}", step.times) } else { String::new() };
        let label = format!("{}{times}", escape(&step.label));
        let to = step.to.as_ref().and_then(|to| lane_of(&self.lanes, to));
        // What two devices do at one instant shares a row.
        let shared =
            to.is_none() && self.last == Some(step.at) && !self.noted.is_empty() && !self.noted.contains(&from);
        if shared {
            self.y -= ROW;
        } else {
            self.time(step.at);
            self.noted.clear();
        }
        match to {
            Some(to) => self.arrow(self.x(from), self.x(to), &label, step.class),
            None => {
                self.note(from, &label, step.class);
                self.noted.push(from);
            }
        }
        self.last = Some(step.at);
        self.y += ROW;
    }

    /// The time of a row, and how long after the row before.
    fn time(&mut self, at: SimTime) {
        let since = self.last.map(|last| at.since(last).0);
        if since.is_some_and(|since| since >= GAP_US) {
            self.gap(since.unwrap_or_default());
        }
        let delta =
            since.filter(|since| *since < GAP_US).map_or(String::new(), |since| format!("+{}", time(since as i64)));
        let y = self.y;
        self.put(format_args!(
            "<text class=\"at\" x=\"70\" y=\"{0}\">{1}</text><text class=\"delta\" x=\"158\" y=\"{0}\">{delta}</text>",
            y + 4,
            instant(at)
        ));
    }

    fn arrow(&mut self, from: i64, to: i64, label: &str, class: &str) {
        let y = self.y;
        let tip = if to > from { -7 } else { 7 };
        let middle = (from + to) / 2;
        self.put(format_args!(
            "<g class=\"{class}\"><line x1=\"{from}\" y1=\"{y}\" x2=\"{to}\" y2=\"{y}\"/>\
             <path d=\"M{to} {y}l{tip} -4v8z\"/><text x=\"{middle}\" y=\"{}\">{label}</text></g>",
            y - 5
        ));
    }

    /// Notes stand beside their line, turned inwards, so that they stay inside the drawing.
    fn note(&mut self, lane: i64, label: &str, class: &str) {
        let (x, y) = (self.x(lane), self.y);
        let right = lane * 2 >= self.lanes.len() as i64;
        let (anchor, dx) = if right { ("end", -11) } else { ("start", 11) };
        self.put(format_args!(
            "<g class=\"{class}\"><circle cx=\"{x}\" cy=\"{y}\" r=\"4\"/>\
             <text x=\"{}\" y=\"{}\" style=\"text-anchor:{anchor}\">{label}</text></g>",
            x + dx,
            y + 4
        ));
    }

    fn gap(&mut self, us: u64) {
        let y = self.y;
        self.put(format_args!(
            "<line class=\"gap\" x1=\"{GUTTER}\" y1=\"{y}\" x2=\"{WIDTH}\" y2=\"{y}\"/>\
             <text class=\"delta\" x=\"158\" y=\"{}\">{} later</text>",
            y + 4,
            time(us as i64)
        ));
        self.y += ROW;
    }

    fn finish(mut self, left_out: usize) -> String {
        let height = self.y + 8;
        let mut head = String::new();
        for (lane, name) in self.lanes.iter().enumerate() {
            let x = self.x(lane as i64);
            let _ = write!(
                head,
                "<line class=\"life\" x1=\"{x}\" y1=\"{TOP}\" x2=\"{x}\" y2=\"{height}\"/>\
                 <text class=\"lane\" x=\"{x}\" y=\"{}\">{}</text>",
                TOP - 14,
                escape(name.as_str())
            );
        }
        if left_out > 0 {
            self.put(format_args!("<text class=\"at\" x=\"70\" y=\"14\">{left_out} rows left out</text>"));
        }
        format!(
            "<svg class=\"ladder\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"sequence diagram of the call\">{head}{}</svg>",
            self.body
        )
    }

    fn put(&mut self, element: std::fmt::Arguments<'_>) {
        self.body.write_fmt(element).expect("writing to a string succeeds");
    }
}

/// Text for an SVG element: names and labels come from scenarios and peers.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{
        Record,
        event::{CallState, CallStateName, UserAct},
    };

    fn record(event: Event) -> Record {
        Record { at: SimTime::ZERO, index: 0, event }
    }

    fn moved(device: &str) -> Record {
        let (from, to) = (CallStateName::Incoming, CallStateName::Accepting);
        record(Event::CallState(CallState { device: device.into(), call: None, from, to, because: "test".into() }))
    }

    #[test]
    fn an_attack_says_what_came_of_it_before_the_user_did_something() {
        let acts =
            record(Event::UserAct(UserAct { user: "bob".into(), device: "bob-phone".into(), what: Act::Decline }));
        let attack = Attack {
            kind: AttackKind::ForgeConsent,
            target: "bob-phone".into(),
            call: None,
            detail: "ClaimAccepted".into(),
        };
        let label = |later: &[Record]| {
            let mut seen = BTreeSet::new();
            let step = attack_step(SimTime::ZERO, &attack, later, &mut seen);
            assert!(attack_step(SimTime::ZERO, &attack, later, &mut seen).is_none(), "once");
            step.unwrap().label
        };
        let nothing = "attack, ClaimAccepted: nothing moves here before the user does";
        assert_eq!(label(&[moved("alice-phone"), acts.clone(), moved("bob-phone")]), nothing);
        assert_eq!(label(&[moved("bob-phone"), acts]), "attack, ClaimAccepted: the call is Accepting next");
    }
}
