//! What happens: the timeline and the adversary.

use super::{people::People, within};
use crate::{
    file::{Adversary, Attached, Attack, Does, Scenario, Schedule, Step as StepEntry, Whom},
    located::Located,
    problem::Problems,
};
use kernel::{
    event::{Act, Audience, Setting},
    names::{ActorName, Track, UserName},
    plan::{AdversaryPlan, SchedulePlan, Step, When},
    time::{Micros, SimTime},
};

/// Longest text of a message, as the protocol has it.
const MAX_TEXT_BYTES: usize = 1_024;
/// How often an adversary acts on frames when the file does not say.
const EVERY: u32 = 10;
/// How much later a replay comes when the file does not say.
const REPLAY_AFTER: Micros = Micros::from_millis(500);

/// The steps, in the order of the file.
pub(super) fn timeline(file: &Scenario, people: &People, end: SimTime, problems: &mut Problems) -> Vec<Step> {
    let mut timeline = Vec::new();
    for entry in &file.timeline {
        let user = entry.user.as_ref().and_then(|user| people.find(user, problems));
        let device = entry.user.as_ref().filter(|_| user.is_some()).and_then(|user| {
            let device = people.in_hand(user, entry.device.as_ref(), problems)?;
            // A plan of people with one device each says no more than it did before there were several.
            Some((people.devices_of(user).count() > 1).then_some(device))
        });
        let act = act(entry, people, problems);
        let when = when(entry, end, problems);
        if let (Some(user), Some(device), Some(act), Some(when)) = (user, device, act, when) {
            timeline.push(Step { user, device, when, act });
        }
    }
    cameras(file, problems);
    timeline
}

/// Notes who switches a camera that is in no call of theirs.
fn cameras(file: &Scenario, problems: &mut Problems) {
    let shows = |entry: &StepEntry, camera: &StepEntry| {
        entry.user.as_deref() == camera.user.as_deref()
            && entry.device.as_deref() == camera.device.as_deref()
            && entry.does.as_ref().is_some_and(|does| matches!(**does, Does::Call | Does::Accept | Does::AcceptWaiting))
            && entry.video.as_ref().is_none_or(|video| **video)
    };
    for entry in &file.timeline {
        let (Some(user), Some(does)) = (&entry.user, &entry.does) else { continue };
        if matches!(**does, Does::CameraOff | Does::CameraOn) && !file.timeline.iter().any(|other| shows(other, entry))
        {
            let message = format!("`{}` neither calls nor accepts with the camera", **user);
            problems
                .note(does.span(), message, "there is none to switch")
                .with_help("a call that began by voice stays one");
        }
    }
}

/// The order of what is due at one instant.
pub(super) fn schedule(file: &Scenario) -> Option<SchedulePlan> {
    let Schedule { depth, number } = file.schedule.as_ref()?;
    let depth = depth.as_ref().map_or(SchedulePlan::DEPTH, |depth| **depth);
    let number = number.as_ref().map_or(0, |number| u64::from(**number));
    Some(SchedulePlan { depth, number, steps: SchedulePlan::STEPS })
}

/// What the adversary does, in the order of the file.
pub(super) fn adversary(file: &Scenario, problems: &mut Problems) -> Vec<AdversaryPlan> {
    file.adversary.iter().filter_map(|entry| attack(entry, problems)).collect()
}

fn when(entry: &Located<StepEntry>, end: SimTime, problems: &mut Problems) -> Option<When> {
    let given = [
        ("at", &entry.at),
        ("after_ring", &entry.after_ring),
        ("after_live", &entry.after_live),
        ("after_asked", &entry.after_asked),
    ];
    let mut given = given.into_iter().filter_map(|(key, time)| time.as_ref().map(|time| (key, time)));
    let Some((key, time)) = given.next() else {
        let note = problems.note(
            entry.span(),
            "a step does not say when",
            "`at`, `after_ring`, `after_live` or `after_asked`",
        );
        note.with_help("`at` counts from the start of the timeline, the others from what the user's own device shows");
        return None;
    };
    if let Some((second, at)) = given.next() {
        problems.note(at.span(), format!("a step has one time, this has `{key}` and `{second}`"), "the second one");
    }
    within(time, end, problems);
    Some(match key {
        "at" => When::At { at: time.0 },
        "after_ring" => When::AfterRing { delay: time.0 },
        "after_live" => When::AfterLive { delay: time.0 },
        _ => When::AfterAsked { delay: time.0 },
    })
}

fn act(entry: &StepEntry, people: &People, problems: &mut Problems) -> Option<Act> {
    let does = entry.does.as_ref()?;
    let with = with(entry, does, people, problems);
    if let Some(video) = &entry.video
        && !matches!(**does, Does::Call | Does::Accept | Does::AcceptWaiting)
    {
        problems.note(
            video.span(),
            "only `call`, `accept` and `accept-waiting` choose the camera",
            "means nothing here",
        );
    }
    let video = entry.video.as_ref().is_none_or(|video| **video);
    let other_device = target(entry, does, people, problems);
    let text = text(entry, does, problems);
    let password = password(entry, does, problems);
    let whom = whom(entry, does, problems);
    let link = link(entry, does, problems);
    Some(match (**does, with) {
        (Does::RequestFriend, Some(user)) => Act::RequestFriend { user },
        (Does::AcceptFriend, Some(user)) => Act::AcceptFriend { user },
        (Does::DeclineFriend, Some(user)) => Act::DeclineFriend { user },
        (Does::Unfriend, Some(user)) => Act::Unfriend { user },
        (Does::Block, Some(user)) => Act::Block { user },
        (Does::CancelRequest, Some(user)) => Act::CancelRequest { user },
        (Does::Unblock, Some(user)) => Act::Unblock { user },
        (Does::Follow, Some(user)) => Act::Follow { user },
        (Does::Unfollow, Some(user)) => Act::Unfollow { user },
        (Does::LookUp, Some(user)) => Act::LookUp { user },
        (Does::AskLastSeen, Some(user)) => Act::AskLastSeen { user },
        (Does::AddCloseFriend, Some(user)) => Act::Set { setting: Setting::CloseFriend { user, listed: true } },
        (Does::RemoveCloseFriend, Some(user)) => Act::Set { setting: Setting::CloseFriend { user, listed: false } },
        (Does::LetCall, None) => Act::Set { setting: Setting::Callers(whom?) },
        (Does::LetSee, None) => Act::Set { setting: Setting::LastSeen(whom?) },
        (Does::Call, Some(user)) => Act::Call { user, video },
        (Does::Accept, None) => Act::Accept { video },
        (Does::Decline, None) => Act::Decline,
        (Does::Cancel, None) => Act::Cancel,
        (Does::HangUp, None) => Act::HangUp,
        (Does::CameraOff, None) => Act::CameraOff,
        (Does::CameraOn, None) => Act::CameraOn,
        (Does::Mute, None) => Act::Mute,
        (Does::Unmute, None) => Act::Unmute,
        (Does::Hold, None) => Act::Hold,
        (Does::Resume, None) => Act::Resume,
        (Does::HandOver, None) => Act::HandOver { device: other_device? },
        (Does::AcceptWaiting, None) => Act::AcceptWaiting { video },
        (Does::DeclineWaiting, None) => Act::DeclineWaiting,
        (Does::ConfirmDevice, None) => Act::ConfirmDevice { device: other_device? },
        (Does::RemoveDevice, None) => Act::RemoveDevice { device: other_device? },
        (Does::Write, Some(user)) => Act::Write { user, text: text?, attached: attached(entry) },
        (Does::SendAnyway, Some(user)) => Act::SendAnyway { user },
        (Does::Read, Some(user)) => Act::Read { user },
        (Does::AcceptMessages, Some(user)) => Act::AcceptMessages { user },
        (Does::DeclineMessages, Some(user)) => Act::DeclineMessages { user },
        (Does::SetAvatar, None) => Act::SetAvatar,
        (Does::ChangePassword, None) => Act::ChangePassword { password: password? },
        (Does::ResetPassword, None) => Act::ResetPassword { password: password? },
        (Does::SignIn, None) => Act::SignIn { password: password? },
        (Does::EndOtherSessions, None) => Act::EndOtherSessions,
        (Does::Sleep, None) => Act::Sleep,
        (Does::Lock, None) => Act::Lock,
        (Does::Unlock, None) => Act::Unlock,
        (Does::OpenLink, None) => Act::OpenLink { link: link? },
        (Does::DenyCamera, None) => Act::DenyAccess { track: Track::Video },
        (Does::AllowCamera, None) => Act::AllowAccess { track: Track::Video },
        (Does::DenyMicrophone, None) => Act::DenyAccess { track: Track::Audio },
        (Does::AllowMicrophone, None) => Act::AllowAccess { track: Track::Audio },
        (Does::Verify, Some(user)) => Act::Verify { user },
        _ => return None,
    })
}

/// What is written; notes when it is missing, too long, or not wanted.
fn text(entry: &StepEntry, does: &Located<Does>, problems: &mut Problems) -> Option<String> {
    let writes = **does == Does::Write;
    if let Some(attached) = entry.attached.as_ref().filter(|_| !writes) {
        problems.note(attached.span(), "only what is written has something `attached`", "means nothing here");
    }
    match &entry.text {
        Some(text) if !writes => {
            problems.note(text.span(), "only `write` has a `text`", "means nothing here");
            None
        }
        Some(text) if text.len() > MAX_TEXT_BYTES => {
            let message = format!("a message has up to {MAX_TEXT_BYTES} bytes, this has {}", text.len());
            problems.note(text.span(), message, "too long");
            None
        }
        Some(text) => Some(String::clone(text)),
        None if writes => {
            problems.note(does.span(), "a message says something", "`text` is missing");
            None
        }
        None => None,
    }
}

fn attached(entry: &StepEntry) -> Option<kernel::event::Attached> {
    entry.attached.as_ref().map(|attached| match **attached {
        Attached::Picture => kernel::event::Attached::Picture,
        Attached::Location => kernel::event::Attached::Location,
    })
}

/// Whom a step's setting lets; notes when it is missing or not wanted.
fn whom(entry: &StepEntry, does: &Located<Does>, problems: &mut Problems) -> Option<Audience> {
    let is_wanted = matches!(**does, Does::LetCall | Does::LetSee);
    match &entry.whom {
        None if is_wanted => {
            let note = problems.note(does.span(), "this act chooses whom a setting lets", "`whom` is missing");
            note.with_help("`whom = \"friends\"`, `\"close-friends\"` or `\"nobody\"`");
            None
        }
        Some(whom) if !is_wanted => {
            problems.note(whom.span(), "this act chooses no setting", "means nothing here");
            None
        }
        whom => whom.as_ref().map(|whom| match **whom {
            Whom::Friends => Audience::Friends,
            Whom::CloseFriends => Audience::CloseFriends,
            Whom::Nobody => Audience::Nobody,
        }),
    }
}

/// The link of a step; notes when one is missing or not wanted. Any text may be opened as a link.
fn link(entry: &StepEntry, does: &Located<Does>, problems: &mut Problems) -> Option<String> {
    match (&entry.link, **does == Does::OpenLink) {
        (None, true) => {
            let note = problems.note(does.span(), "this act opens a link", "`link` is missing");
            note.with_help("`link = \"callproof://call/bob?video=1\"` asks for a call with bob");
            None
        }
        (Some(link), false) => {
            problems.note(link.span(), "this act opens no link", "means nothing here");
            None
        }
        (link, _) => link.as_ref().map(|link| (**link).clone()),
    }
}

/// The other device of the user in a step; notes when one is missing, not wanted, or the one in hand.
fn target(entry: &StepEntry, does: &Located<Does>, people: &People, problems: &mut Problems) -> Option<ActorName> {
    let is_wanted = matches!(**does, Does::ConfirmDevice | Does::RemoveDevice | Does::HandOver);
    match &entry.target {
        None if is_wanted => {
            let note = problems.note(does.span(), "this act is about another device", "`target` is missing");
            note.with_help("`target = \"laptop\"` is the laptop of the same user");
            None
        }
        None => None,
        Some(target) if !is_wanted => {
            problems.note(target.span(), "this act is about no other device", "means nothing here");
            None
        }
        Some(target) if entry.device.as_ref().is_some_and(|own| **own == **target) => {
            problems.note(target.span(), format!("`{}` cannot do this to itself", **target), "the same device");
            None
        }
        Some(target) => people.in_hand(entry.user.as_ref()?, Some(target), problems),
    }
}

/// The password in a step; notes when one is missing or not wanted.
fn password(entry: &StepEntry, does: &Located<Does>, problems: &mut Problems) -> Option<String> {
    let is_wanted = matches!(**does, Does::ChangePassword | Does::ResetPassword | Does::SignIn);
    match &entry.password {
        None if is_wanted => {
            let note = problems.note(does.span(), "this act is about a password", "`password` is missing");
            note.with_help("`password = \"correct horse battery\"` is what the user types");
            None
        }
        Some(password) if !is_wanted => {
            problems.note(password.span(), "this act is about no password", "means nothing here");
            None
        }
        password => password.as_deref().cloned(),
    }
}

/// The other user of a step; notes when one is missing, not wanted, or the same.
fn with(entry: &StepEntry, does: &Located<Does>, people: &People, problems: &mut Problems) -> Option<UserName> {
    let alone = !matches!(
        **does,
        Does::RequestFriend
            | Does::AcceptFriend
            | Does::DeclineFriend
            | Does::Unfriend
            | Does::Block
            | Does::CancelRequest
            | Does::Unblock
            | Does::Follow
            | Does::Unfollow
            | Does::LookUp
            | Does::AskLastSeen
            | Does::AddCloseFriend
            | Does::RemoveCloseFriend
            | Does::Call
            | Does::Write
            | Does::SendAnyway
            | Does::Read
            | Does::AcceptMessages
            | Does::DeclineMessages
            | Does::Verify
    );
    match (&entry.with, alone) {
        (None, true) => None,
        (Some(with), true) => {
            problems.note(with.span(), "this act is of the call at hand and names nobody", "means nothing here");
            None
        }
        (None, false) => {
            problems.note(does.span(), "this act has somebody else in it", "`with` is missing");
            None
        }
        (Some(with), false) => {
            let other = people.find(with, problems)?;
            if entry.user.as_ref().is_some_and(|user| **user == **with) {
                problems.note(with.span(), format!("`{other}` cannot do this with themselves"), "the same person");
                return None;
            }
            Some(other)
        }
    }
}

fn attack(entry: &Adversary, problems: &mut Problems) -> Option<AdversaryPlan> {
    let attack = entry.attack.as_ref()?;
    let on_frames = matches!(**attack, Attack::TamperAtHop | Attack::ReplayAtHop);
    if let Some(every) = entry.every.as_ref().filter(|_| !on_frames) {
        problems.note(every.span(), "only attacks on frames have an `every`", "means nothing here");
    }
    if let Some(after) = entry.after.as_ref().filter(|_| **attack != Attack::ReplayAtHop) {
        problems.note(after.span(), "only a replay comes `after` something", "means nothing here");
    }
    let every = entry.every.as_ref().map_or(EVERY, |every| **every);
    let after = entry.after.as_ref().map_or(REPLAY_AFTER, |after| after.0);
    Some(match **attack {
        Attack::SwapFingerprint => AdversaryPlan::SwapFingerprint,
        Attack::ForgeConsent => AdversaryPlan::ForgeConsent,
        Attack::CandidatesInOffer => AdversaryPlan::CandidatesInOffer,
        Attack::AskForCamera => AdversaryPlan::AskForCamera,
        Attack::AcceptOwnCall => AdversaryPlan::AcceptOwnCall,
        Attack::TamperAtHop => AdversaryPlan::TamperAtHop { every },
        Attack::ReplayAtHop => AdversaryPlan::ReplayAtHop { every, after },
        Attack::NullAllEncryption => AdversaryPlan::NullAllEncryption,
        Attack::ProbeInternal => AdversaryPlan::ProbeInternal,
        Attack::HoardAllocations => AdversaryPlan::HoardAllocations,
        Attack::FloodKeyFrames => AdversaryPlan::FloodKeyFrames,
        Attack::ListThirdParties => AdversaryPlan::ListThirdParties,
        Attack::HelloFromElsewhere => AdversaryPlan::HelloFromElsewhere,
        Attack::HelloInThePeersName => AdversaryPlan::HelloInThePeersName,
        Attack::ForgedBindings => AdversaryPlan::ForgedBindings,
        Attack::GarbageMedia => AdversaryPlan::GarbageMedia,
        Attack::WriteUnasked => AdversaryPlan::WriteUnasked,
        Attack::GuessPassword => AdversaryPlan::GuessPassword,
        Attack::GuessCode => AdversaryPlan::GuessCode,
        Attack::ActForAnother => AdversaryPlan::ActForAnother,
        Attack::AskAnyway => AdversaryPlan::AskAnyway,
        Attack::EnumerateHandles => AdversaryPlan::EnumerateHandles,
        Attack::SpeakToRelays => AdversaryPlan::SpeakToRelays,
        Attack::NameInOffer => AdversaryPlan::NameInOffer,
        Attack::HostNameInOffer => AdversaryPlan::HostNameInOffer,
        Attack::StealCall => AdversaryPlan::StealCall,
        Attack::AlterPictures => AdversaryPlan::AlterPictures,
    })
}
