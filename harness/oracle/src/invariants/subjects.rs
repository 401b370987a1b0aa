//! ACC: in whose name things happen.

use crate::{catalogue::Evidence, checks::Checks, run::Run};
use kernel::{
    ActorName, UserName,
    event::{Fact, PasswordPath},
};
use std::collections::BTreeMap;

/// Who is said to have done something, and what a device says to the server for it.
struct Deed<'a> {
    user: &'a UserName,
    /// Where the fact names one, with which device.
    device: Option<&'a ActorName>,
    messages: &'static [&'static str],
    /// Whether one message may do it to several.
    is_wholesale: bool,
}

/// ACC-5. A session's subject is the user of the device that it was begun with: the cast says so, whatever the server
/// thinks. Each deed needs a message of its own.
pub(crate) fn tokens_act_for_their_subject(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    let mut asked = Asked::of(run);
    for fact in &run.events.facts {
        let Some(deed) = deed(run, &fact.get().fact) else { continue };
        let owner = deed.device.map(|device| run.cast.device(device).map(|number| run.cast.user(number)));
        let is_own = owner.is_none_or(|owner| owner == Some(deed.user));
        let is_asked = asked.take(&deed, fact.index);
        checks.check(is_own && is_asked, fact.at, fact.index, || {
            let (user, kind) = (deed.user, fact.get().fact.kind());
            match deed.device.filter(|_| !is_own) {
                Some(device) => format!("{device} acts for {user}, whose device it is not: {kind}"),
                None => format!("something happens in the name of {user} that no device of {user} asked for: {kind}"),
            }
        });
    }
    checks
}

fn deed<'a>(run: &Run<'a>, fact: &'a Fact) -> Option<Deed<'a>> {
    let by_user = |user, messages| Some(Deed { user, device: None, messages, is_wholesale: false });
    // A device that is nobody's has a session of whom it proved to be.
    let is_known = |device: &&ActorName| run.cast.device(device).is_some();
    let by_device = |user, device, messages| {
        Some(Deed { user, device: Some(Some(device).filter(is_known)?), messages, is_wholesale: false })
    };
    match fact {
        Fact::FriendRequested { from, .. } => by_user(from, &["request_friend"]),
        // Who asks somebody that has asked already says yes to that.
        Fact::Befriended { by, .. } => by_user(by, &["answer_friend", "request_friend"]),
        Fact::FriendDeclined { by, .. } => by_user(by, &["answer_friend"]),
        Fact::Unfriended { by, .. } => by_user(by, &["unfriend"]),
        Fact::Blocked { by, .. } => by_user(by, &["block"]),
        Fact::Unblocked { by, .. } => by_user(by, &["unblock"]),
        Fact::RequestCancelled { by, .. } => by_user(by, &["cancel_request"]),
        Fact::Followed { by, .. } | Fact::Unfollowed { by, .. } => by_user(by, &["follow"]),
        Fact::SettingChanged { by, .. } => by_user(by, &["set"]),
        Fact::CallRinging { caller, .. } => by_user(caller, &["invite"]),
        Fact::CallLive { callee_device, .. } => {
            let user = run.cast.user(run.cast.device(callee_device)?);
            by_device(user, callee_device, &["accept"])
        }
        // By the word of the user at the device that takes the call.
        Fact::CallMoved { to, .. } => {
            let user = run.cast.user(run.cast.device(to)?);
            by_device(user, to, &["take_over"])
        }
        Fact::DeviceConfirmed { user, by, .. } | Fact::DeviceRemoved { user, by, .. } => {
            by_device(user, by, &["extend_devices"])
        }
        Fact::PasswordSet { user, how, by } => by_device(
            user,
            by,
            match how {
                PasswordPath::SignUp => &["sign_up"],
                PasswordPath::Change => &["change_password"],
                PasswordPath::Reset => &["reset_password"],
            },
        ),
        Fact::SessionRevoked { user, by, .. } => {
            let messages = &["change_password", "reset_password", "end_other_sessions"];
            Some(Deed { user, device: Some(Some(by).filter(is_known)?), messages, is_wholesale: true })
        }
        Fact::ThreadRequested { from, .. } => by_user(from, &["request_thread"]),
        Fact::ThreadOpened { by, .. } => by_user(by, &["answer_thread", "request_thread"]),
        Fact::ThreadDeclined { by, .. } => by_user(by, &["answer_thread"]),
        Fact::MessageStored { sender, .. } => by_user(sender, &["send_message"]),
        Fact::MessageReceipt { by, .. } => by_user(by, &["receipt"]),
        Fact::AvatarSet { user } => by_user(user, &["set_avatar"]),
        Fact::PictureUploaded { by, .. } => by_user(by, &["put_part"]),
        // Who proves to be somebody does not act yet, and what the server does or counts by itself is in nobody's name.
        Fact::AccountCreated { .. }
        | Fact::LookedUp { .. }
        | Fact::SessionCreated { .. }
        | Fact::DeviceAdded { .. }
        | Fact::PasswordTried { .. }
        | Fact::CodeRequested { .. }
        | Fact::CodeTried { .. }
        | Fact::CallOver { .. }
        | Fact::RelayCredentialIssued { .. } => None,
    }
}

/// What the devices of each user asked for, in order, and how much of it has happened.
struct Asked<'a> {
    /// By user and kind of message, the records.
    messages: BTreeMap<(&'a UserName, &'a str), Vec<u64>>,
    done: BTreeMap<(&'a UserName, &'static [&'static str]), usize>,
}

impl<'a> Asked<'a> {
    fn of(run: &Run<'a>) -> Asked<'a> {
        let mut messages: BTreeMap<_, Vec<u64>> = BTreeMap::new();
        for signal in run.events.signals.of(&run.plan.signaling.name) {
            if let Some(number) = run.cast.device(&signal.get().from) {
                let key = (run.cast.user(number), &*signal.get().message);
                messages.entry(key).or_default().push(signal.index);
            }
        }
        Asked { messages, done: BTreeMap::new() }
    }

    /// Whether there is a message for a deed before a record, and none of the deeds before needs it.
    fn take(&mut self, deed: &Deed<'a>, index: u64) -> bool {
        let before = |message: &&str| {
            let records = self.messages.get(&(deed.user, *message));
            records.map_or(0, |records| records.partition_point(|record| *record < index))
        };
        let asked: usize = deed.messages.iter().map(before).sum();
        if deed.is_wholesale {
            return asked > 0;
        }
        let done = self.done.entry((deed.user, deed.messages)).or_default();
        *done += 1;
        *done <= asked
    }
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use kernel::event::Fact;

    const SUBJECTS: &str = "tokens_act_for_their_subject";

    fn revoked(by: &str) -> Fact {
        Fact::SessionRevoked { user: "bob".into(), device: "bob-laptop".into(), by: by.into() }
    }

    #[test]
    fn what_devices_ask_for_happens_in_their_user_s_name() {
        let mut story = Story::new();
        story.live();
        story.at(9_000).signal("bob-phone", "signaling", "end_other_sessions", b"");
        story.fact(revoked("bob-phone")).fact(revoked("bob-phone"));
        // A friendship, a ring, an accept, two sessions.
        assert_eq!(story.holds(SUBJECTS), 5);
    }

    #[test]
    fn another_user_s_device_acts() {
        let mut story = Story::new();
        story.at(9_000).signal("alice-phone", "signaling", "end_other_sessions", b"");
        story.fact(revoked("alice-phone"));
        let sentence = story.fails_only(SUBJECTS);
        assert_eq!(sentence, "alice-phone acts for bob, whose device it is not: session_revoked");
    }

    #[test]
    fn nobody_of_the_user_s_asked_for_it_or_not_twice() {
        let blocked = || Fact::Blocked { by: "bob".into(), other: "alice".into() };
        let sentence = "something happens in the name of bob that no device of bob asked for: blocked";
        let mut story = Story::new();
        story.at(9_000).signal("alice-phone", "signaling", "block", b"").stored(blocked());
        assert_eq!(story.fails_only(SUBJECTS), sentence);
        let mut story = Story::new();
        story.at(9_000).fact(blocked()).stored(blocked());
        assert_eq!(story.fails_only(SUBJECTS), sentence);
    }
}
