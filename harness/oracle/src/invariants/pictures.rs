//! DM-5, PRV-11: pictures on the devices that they were meant for.

use super::{devices::counts_from, threads::is_of};
use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{Friendships, Run, Seen},
};
use kernel::{
    ActorName, Micros, SimTime, UserName,
    event::{Act, Attached, AttackKind, Fact, MessageRow, PictureShown},
};

/// How long the largest picture may take to a device that shows its message and that signaling can reach.
const PICTURE: Micros = Micros::from_secs(20);
/// How the event calls the warning.
const NO_PICTURE: &str = "no_picture";
/// How long an avatar may.
const AVATAR: Micros = Micros::from_secs(10);

/// DM-5.
pub(crate) fn pictures_arrive_as_they_left(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for shown in run.events.pictures_shown.iter().filter(|shown| shown.message.is_some()) {
        let fault = fault_of(run, *shown);
        checks.check(fault.is_none(), shown.at, shown.index, || fault.unwrap_or_default());
    }
    for row in run.events.messages.iter().filter(|row| row.attached == Some(Attached::Picture)) {
        judge_row(run, *row, &mut checks);
    }
    for act in run.events.user_acts.iter().filter(|act| attaches_picture(&act.what)) {
        let left = run.events.pictures.iter().any(|sent| sent.device == act.device && sent.at == act.at);
        let mut held = run.events.held_messages.of(&act.device);
        let is_told = held.any(|held| held.warning == NO_PICTURE && held.at == act.at && held.index > act.index);
        checks.check(left || is_told, act.at, act.index, || {
            format!("a picture that {} attached does not leave {}, which says nothing", act.user, act.device)
        });
    }
    checks
}

fn attaches_picture(act: &Act) -> bool {
    matches!(act, Act::Write { attached: Some(Attached::Picture), .. })
}

/// What is wrong with a picture of a message as a device shows it.
fn fault_of(run: &Run, shown: Seen<PictureShown>) -> Option<String> {
    let PictureShown { device, user, message, hash } = shown.get();
    let own = run.cast.device(device).map(|device| run.cast.user(device))?;
    let stored = run.events.facts.iter().find_map(|seen| match &seen.get().fact {
        Fact::MessageStored { message: stored, thread, sender, .. } if Some(*stored) == *message => {
            Some((thread, sender))
        }
        _ => None,
    });
    let Some((thread, sender)) = stored else { return Some(format!("{device} shows a picture of no message")) };
    if !is_of(thread, own) {
        return Some(format!("{device} shows a picture of the thread {thread}, which is none of {own}'s"));
    }
    let Some(hash) = hash else {
        let was_changed = run.events.attacks.iter().any(|attack| {
            attack.kind == AttackKind::AlterPicture && attack.target == *device && attack.index < shown.index
        });
        return (!was_changed).then(|| format!("{device} cannot open a picture of {sender}, which nobody changed"));
    };
    let left = run.events.pictures.iter().find(|sent| sent.message == *message);
    let is_it = left.is_some_and(|left| is_hash(run.log.bytes(left.bytes), hash)) && user == sender;
    (!is_it).then(|| format!("{device} shows another picture than the one that {sender} sent"))
}

fn is_hash(file: &[u8], hash: &str) -> bool {
    *blake3::hash(file).to_hex() == *hash
}

/// A device that shows the message comes to show its picture, or that it cannot be opened.
fn judge_row(run: &Run, row: Seen<MessageRow>, checks: &mut Checks) {
    let Some(device) = run.cast.device(&row.device) else { return };
    let deadline = run.deadline(device, row.at, PICTURE);
    let mut shown = run.events.pictures_shown.of(&row.device);
    let shown = shown.find(|shown| shown.message == Some(row.message));
    if shown.is_none() && (run.end <= deadline || counts_from(run, device).is_none()) {
        return;
    }
    let at = shown.map_or(deadline, |shown| shown.at);
    checks.check(shown.is_some() && at <= deadline, at, row.index, || match shown {
        None => format!("{} shows a message of {} and not the picture with it", row.device, row.sender),
        Some(_) => format!("{} shows a picture of {} {} after its message", row.device, row.sender, at.since(row.at)),
    });
}

/// PRV-11.
pub(crate) fn avatars_are_for_friends(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let friendships = Friendships::of(run);
    let mut checks = Checks::default();
    for shown in run.events.pictures_shown.iter().filter(|shown| shown.message.is_none()) {
        let fault = avatar_fault(run, &friendships, *shown);
        checks.check(fault.is_none(), shown.at, shown.index, || fault.unwrap_or_default());
    }
    for fact in &run.events.facts {
        match &fact.get().fact {
            Fact::AvatarSet { user } => {
                for other in users(run).filter(|other| friendships.may_ring(user, other, fact.index)) {
                    judge_avatar(run, user, other, (fact.at, fact.index), &mut checks);
                }
            }
            Fact::Befriended { by, other } => {
                for (owner, sees) in [(by, other), (other, by)] {
                    if avatar_of(run, owner, fact.index).is_some() {
                        judge_avatar(run, owner, sees, (fact.at, fact.index), &mut checks);
                    }
                }
            }
            _ => {}
        }
    }
    checks
}

fn users<'r>(run: &'r Run) -> impl Iterator<Item = &'r UserName> {
    let is_first = |device: &usize| (0..*device).all(|earlier| run.cast.user(earlier) != run.cast.user(*device));
    (0..run.cast.len()).filter(is_first).map(|device| run.cast.user(device))
}

/// The record at which the store took the avatar that a user has at a record.
fn avatar_of(run: &Run, owner: &UserName, index: u64) -> Option<u64> {
    let mut set = run.events.facts.iter().rev().filter(|seen| seen.index < index);
    set.find(|seen| matches!(&seen.fact, Fact::AvatarSet { user } if user == owner)).map(|seen| seen.index)
}

/// What is wrong with an avatar that a device shows.
fn avatar_fault(run: &Run, friendships: &Friendships, shown: Seen<PictureShown>) -> Option<String> {
    let PictureShown { device, user: owner, hash, .. } = shown.get();
    let own = run.cast.device(device).map(|device| run.cast.user(device))?;
    let left = run.events.pictures.iter().filter(|sent| sent.message.is_none() && sent.index < shown.index);
    let mut left = left.filter(|sent| is_device_of(run, &sent.device, owner));
    if !hash.as_ref().is_some_and(|hash| left.any(|sent| is_hash(run.log.bytes(sent.bytes), hash))) {
        return Some(format!("{device} shows another avatar than one that {owner} chose"));
    }
    // When it was told, which the end of a friendship may have followed; or when it was chosen, where it waited.
    let told = run.events.signals.of(device).rev().find(|told| told.message == "avatar" && told.index < shown.index);
    let moments = [Some(shown.index), told.map(|told| told.index), avatar_of(run, owner, shown.index).map(|at| at + 1)];
    let were_friends = moments.into_iter().flatten().any(|index| friendships.may_ring(owner, own, index));
    (!were_friends).then(|| format!("{device} shows the avatar of {owner}, who is no friend of {own}"))
}

/// The devices of a friend come to show an avatar. Who is a friend no more forgets it, maybe before it was shown.
fn judge_avatar(run: &Run, owner: &UserName, sees: &UserName, (since, index): (SimTime, u64), checks: &mut Checks) {
    let parts = |fact: &Fact| match fact {
        Fact::Unfriended { by, other } | Fact::Blocked { by, other } => {
            [(owner, sees), (sees, owner)].contains(&(by, other))
        }
        _ => false,
    };
    if run.events.facts.iter().any(|seen| parts(&seen.fact)) {
        return;
    }
    let left = run.events.pictures.iter().rev().filter(|sent| sent.message.is_none() && sent.index < index);
    let Some(left) = left.into_iter().find(|sent| is_device_of(run, &sent.device, owner)) else { return };
    let hash = blake3::hash(run.log.bytes(left.bytes)).to_hex();
    for device in (0..run.cast.len()).filter(|device| run.cast.user(*device) == sees) {
        let Some(from) = counts_from(run, device) else { continue };
        let (name, deadline) = (run.cast.name(device), run.deadline(device, since.max(from), AVATAR));
        let is_it = |shown: &&Seen<PictureShown>| {
            shown.message.is_none() && shown.user == *owner && shown.hash.as_deref() == Some(&*hash)
        };
        // The same picture is not shown again.
        let shown = run.events.pictures_shown.of(name).find(is_it);
        let at = shown.map_or(deadline, |shown| shown.at);
        if shown.is_some() || run.end > deadline {
            checks.check(shown.is_some() && at <= deadline, at, index, || match shown {
                None => format!("{name} does not show the avatar of {owner}, a friend"),
                Some(_) => format!("{name} shows the avatar of {owner} {} late", at.since(since)),
            });
        }
    }
}

fn is_device_of(run: &Run, device: &ActorName, user: &UserName) -> bool {
    run.cast.device(device).is_some_and(|device| run.cast.user(device) == user)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::Story;
    use kernel::{
        MessageId, ThreadId,
        event::{self, Event},
    };

    const PICTURES: &str = "pictures_arrive_as_they_left";
    const AVATARS: &str = "avatars_are_for_friends";
    const MESSAGE: MessageId = MessageId([3; 16]);
    const FILE: &[u8] = &[0xff, 0xd8, 0xff, 0xda, 0, 2, 5, 6, 0xff, 0xd9];

    fn left(story: &mut Story, message: Option<MessageId>) {
        let bytes = story.store(FILE);
        story.tell(Event::PictureSent(event::PictureSent { device: "alice-phone".into(), message, bytes }));
    }

    fn shows(story: &mut Story, device: &str, message: Option<MessageId>, file: Option<&[u8]>) {
        let hash = file.map(|file| blake3::hash(file).to_hex().to_string());
        let shown = event::PictureShown { device: device.into(), user: "alice".into(), message, hash };
        story.tell(Event::PictureShown(shown));
    }

    /// Alice sends Bob a picture, and both phones show its message.
    fn sent() -> Story {
        let mut story = Story::new();
        let (thread, attached) = (ThreadId::between(&"alice".into(), &"bob".into()), Some(Attached::Picture));
        let act = Act::Write { user: "bob".into(), text: "look".into(), attached };
        story.befriend().at(1_000).act("alice-phone", act);
        left(&mut story, Some(MESSAGE));
        let (message, sender) = (MESSAGE, "alice".into());
        story.at(1_100).fact(Fact::MessageStored { message, thread: thread.clone(), sender, numbers: [1, 1] });
        for device in ["alice-phone", "bob-phone"] {
            let (device, thread, text) = (device.into(), thread.clone(), Some("look".to_owned()));
            let row = event::MessageRow { device, thread, message, sender: "alice".into(), text, attached };
            story.at(1_200).tell(Event::MessageRow(row));
        }
        shows(&mut story, "alice-phone", Some(MESSAGE), Some(FILE));
        story
    }

    fn ends(mut story: Story, ms: u64) -> Story {
        story.at(ms).signal("signaling", "bob-phone", "done", b"");
        story
    }

    #[test]
    fn a_picture_is_shown_as_it_left() {
        let mut story = sent();
        shows(story.at(1_500), "bob-phone", Some(MESSAGE), Some(FILE));
        assert_eq!(ends(story, 30_000).holds(PICTURES), 5);
    }

    #[test]
    fn another_picture_or_none_is_found() {
        let mut story = sent();
        shows(story.at(1_500), "bob-phone", Some(MESSAGE), Some(b"another"));
        let sentence = ends(story, 30_000).fails_only(PICTURES);
        assert_eq!(sentence, "bob-phone shows another picture than the one that alice sent");
        let sentence = ends(sent(), 30_000).fails_only(PICTURES);
        assert_eq!(sentence, "bob-phone shows a message of alice and not the picture with it");
        assert_eq!(ends(sent(), 10_000).holds(PICTURES), 3, "it may still come");
        let mut story = sent();
        shows(story.at(1_500), "bob-phone", Some(MessageId([4; 16])), Some(FILE));
        assert!(story.fails_only(PICTURES).contains("of no message"));
    }

    #[test]
    fn a_picture_that_does_not_leave_is_said_to_be_none() {
        for is_told in [true, false] {
            let mut story = Story::new();
            let (user, attached) = ("bob".into(), Some(Attached::Picture));
            story.befriend().at(1_000).act("alice-phone", Act::Write { user, text: "look".into(), attached });
            if is_told {
                let (device, to, warning) = ("alice-phone".into(), "bob".into(), NO_PICTURE.to_owned());
                story.tell(Event::MessageHeld(event::MessageHeld { device, message: MESSAGE, to, warning }));
                assert_eq!(story.holds(PICTURES), 1);
            } else {
                let sentence = story.fails_only(PICTURES);
                assert_eq!(sentence, "a picture that alice attached does not leave alice-phone, which says nothing");
            }
        }
    }

    #[test]
    fn a_picture_that_was_changed_is_one_that_cannot_be_opened() {
        for was_changed in [true, false] {
            let mut story = sent();
            if was_changed {
                let (kind, target, detail) = (AttackKind::AlterPicture, "bob-phone".into(), String::new());
                story.tell(Event::Attack(event::Attack { kind, target, call: None, detail }));
            }
            shows(story.at(1_500), "bob-phone", Some(MESSAGE), None);
            let story = ends(story, 30_000);
            if was_changed {
                assert_eq!(story.holds(PICTURES), 5);
            } else {
                let sentence = story.fails_only(PICTURES);
                assert_eq!(sentence, "bob-phone cannot open a picture of alice, which nobody changed");
            }
        }
    }

    /// Alice, maybe a friend of Bob's, shows another avatar.
    fn avatar(are_friends: bool) -> Story {
        let mut story = Story::new();
        if are_friends {
            story.befriend();
        }
        story.at(1_000).act("alice-phone", Act::SetAvatar);
        left(&mut story, None);
        story.at(1_100).fact(Fact::AvatarSet { user: "alice".into() });
        story.signal("signaling", "bob-phone", "avatar", b"");
        story
    }

    #[test]
    fn friends_show_an_avatar_and_nobody_else_does() {
        let mut story = avatar(true);
        shows(story.at(1_200), "bob-phone", None, Some(FILE));
        assert_eq!(ends(story, 30_000).holds(AVATARS), 2);
        let mut story = avatar(false);
        shows(story.at(1_200), "bob-phone", None, Some(FILE));
        let sentence = ends(story, 30_000).fails_only(AVATARS);
        assert_eq!(sentence, "bob-phone shows the avatar of alice, who is no friend of bob");
        assert_eq!(ends(avatar(false), 30_000).holds(AVATARS), 0);
    }

    #[test]
    fn a_friend_without_the_avatar_or_with_another_is_found() {
        let sentence = ends(avatar(true), 30_000).fails_only(AVATARS);
        assert_eq!(sentence, "bob-phone does not show the avatar of alice, a friend");
        let mut story = avatar(true);
        shows(story.at(1_200), "bob-phone", None, Some(b"another"));
        assert!(story.fails_only(AVATARS).contains("another avatar than one that alice chose"));
        let mut story = avatar(true);
        shows(story.at(12_000), "bob-phone", None, Some(FILE));
        assert!(story.fails_only(AVATARS).contains("late"));
    }

    #[test]
    fn who_becomes_a_friend_sees_the_avatar_of_before() {
        let mut story = avatar(false);
        story.at(2_000).fact(Fact::Befriended { by: "bob".into(), other: "alice".into() });
        shows(story.at(2_100), "bob-phone", None, Some(FILE));
        assert_eq!(ends(story, 30_000).holds(AVATARS), 2);
        let mut story = avatar(false);
        story.at(2_000).fact(Fact::Befriended { by: "bob".into(), other: "alice".into() });
        assert!(ends(story, 30_000).fails_only(AVATARS).contains("does not show the avatar"));
    }
}
