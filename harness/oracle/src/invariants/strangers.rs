//! PRV-5, RL-3: what somebody learns who is no friend.

use super::refusals::{Answer, ON_ITS_WAY, answer, is_quiet};
use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{Friendships, Run, Seen},
};
use kernel::{
    ActorName, Micros, UserName,
    event::{Act, Signal, UserAct},
};
use std::collections::BTreeMap;

/// How long before a request the server must have been at rest. Shorter than between two requests of one device, the
/// second of which follows from the first one's answer.
const AT_REST: Micros = Micros::from_millis(20);
/// How long keys may be on their way.
const KEYS_ON_THEIR_WAY: Micros = Micros::from_secs(2);
/// What a device asks about somebody else.
const QUESTIONS: [&str; 3] = ["fetch_keys", "invite", "ask_last_seen"];

/// PRV-5. The first answer to each kind of question about somebody is what every later one must be, whatever that one does
/// meanwhile: rings, talks, is away. That all strangers hear the same is FG-7.
pub(crate) fn strangers_learn_nothing(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let friendships = Friendships::of(run);
    let mut first: BTreeMap<(&UserName, &UserName, &str), Answer> = BTreeMap::new();
    let mut checks = Checks::default();
    for (act, about, question) in questions(run) {
        if friendships.may_ring(&act.user, about, question.index) || !is_quiet(run, question, AT_REST) {
            continue;
        }
        let mut told = run.events.signals.of(&act.device);
        let Some(told) = told.find(|told| told.index > question.index) else { continue };
        let answer = answer(run, question, *told);
        let kind = (&act.get().user, about, question.get().message.as_str());
        let Some(reference) = first.get(&kind) else {
            first.insert(kind, answer);
            continue;
        };
        checks.check(answer == *reference, told.at, told.index, || {
            let (user, kind) = (&act.user, &question.message);
            format!("{user}, no friend of {about}, is answered {kind} {}, as before", answer.differs(reference))
        });
    }
    checks
}

/// The first question of each kind that a device asks after its user's act, with whom it is about.
fn questions<'r, 'a>(
    run: &'r Run<'a>,
) -> impl Iterator<Item = (&'r Seen<'a, UserAct>, &'a UserName, Seen<'a, Signal>)> {
    run.events.user_acts.iter().flat_map(move |act| {
        let about = match &act.get().what {
            Act::Call { user, .. } | Act::AskLastSeen { user } => Some(user),
            _ => None,
        };
        let found = about.into_iter().flat_map(move |about| {
            let asked = QUESTIONS.iter().filter_map(move |kind| question(run, act, kind));
            asked.map(move |question| (act, about, question))
        });
        found.collect::<Vec<_>>()
    })
}

fn question<'a>(run: &Run<'a>, act: &Seen<'a, UserAct>, kind: &str) -> Option<Seen<'a, Signal>> {
    let server = &run.plan.signaling.name;
    let from = |sent: &&Seen<'a, Signal>| sent.index > act.index && sent.from == act.device;
    let next = run.events.user_acts.iter().find(|later| later.index > act.index && later.device == act.device);
    let until = next.map_or(u64::MAX, |later| later.index);
    let sent = run.events.signals.of(server).filter(from);
    let mut sent = sent.take_while(|sent| sent.at <= act.at + ON_ITS_WAY && sent.index < until);
    sent.find(|sent| sent.message == kind).copied()
}

/// RL-3. By the lists of devices that a device was shown after the server sent it keys: whose they are, friends of its user
/// when they were sent.
pub(crate) fn only_friends_get_keys(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let friendships = Friendships::of(run);
    let mut checks = Checks::default();
    for shown in &run.events.lists {
        let Some(device) = run.cast.device(&shown.device) else { continue };
        let user = run.cast.user(device);
        if *user == shown.user {
            continue;
        }
        let were_friends = |index| friendships.may_ring(user, &shown.user, index);
        let sent = sent_keys(run, &shown.device, shown.at, shown.index);
        if sent.is_empty() {
            continue;
        }
        checks.check(sent.into_iter().any(were_friends), shown.at, shown.index, || {
            format!("{} is given the keys of {}, who is no friend of {user}", shown.device, shown.user)
        });
    }
    checks
}

/// Records of the messages with keys that may be the one which just arrived.
fn sent_keys(run: &Run, device: &ActorName, at: kernel::SimTime, index: u64) -> Vec<u64> {
    let sent = run.events.signals.of(device).rev().skip_while(|told| told.index > index);
    let recent = sent.take_while(|told| at.since(told.at) <= KEYS_ON_THEIR_WAY);
    recent.filter(|told| told.message == "keys").map(|told| told.index).collect()
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use kernel::event::{Act, DeviceListSeen, Event, Fact};

    const NOTHING: &str = "strangers_learn_nothing";
    const KEYS: &str = "only_friends_get_keys";

    fn asks(story: &mut Story, ms: u64, request: u8, answer: (&str, &[u8]), after: u64) {
        let call = Act::Call { user: "bob".into(), video: true };
        story.at(ms).act("alice-phone", call).at(ms + 20);
        story.signal("alice-phone", "signaling", "fetch_keys", &[6, request, b'b', b'o', b'b']);
        story.at(ms + 21).signal("signaling", "alice-phone", "refused", &[2, request]);
        story.at(ms + 60).signal("alice-phone", "signaling", "invite", &[7, request]);
        story.at(ms + 60 + after).signal("signaling", "alice-phone", answer.0, answer.1);
    }

    #[test]
    fn a_stranger_who_asks_twice_hears_the_same() {
        let mut story = Story::new();
        asks(&mut story, 1_000, 1, ("rejected", &[3, 1]), 1);
        asks(&mut story, 3_000, 2, ("rejected", &[3, 2]), 1);
        assert_eq!(story.holds(NOTHING), 2);
    }

    #[test]
    fn a_stranger_who_hears_that_somebody_is_busy_is_found() {
        for (answer, after) in [(("ended", &[4, 2, 3][..]), 1), (("rejected", &[3, 2][..]), 2)] {
            let mut story = Story::new();
            asks(&mut story, 1_000, 1, ("rejected", &[3, 1]), 1);
            asks(&mut story, 3_000, 2, answer, after);
            let sentence = story.fails_only(NOTHING);
            assert!(sentence.starts_with("alice, no friend of bob, is answered invite"), "{sentence}");
        }
    }

    #[test]
    fn what_a_friend_hears_is_not_compared() {
        let mut story = Story::new();
        asks(&mut story, 1_000, 1, ("rejected", &[3, 1]), 1);
        story.at(2_000).fact(Fact::Befriended { by: "bob".into(), other: "alice".into() });
        asks(&mut story, 3_000, 2, ("ended", &[4, 2, 3]), 1);
        assert_eq!(story.holds(NOTHING), 0);
    }

    fn shown(story: &mut Story, user: &str) {
        story.signal("signaling", "alice-phone", "keys", b"");
        let (device, user) = ("alice-phone".into(), user.into());
        story.tell(Event::DeviceListSeen(DeviceListSeen { device, user, links: vec!["00".into()], taken: true }));
    }

    #[test]
    fn friends_get_keys_and_everybody_the_own() {
        let mut story = Story::new();
        shown(story.befriend(), "bob");
        shown(&mut story, "alice");
        assert_eq!(story.holds(KEYS), 1);
    }

    #[test]
    fn keys_of_a_stranger_are_found() {
        let mut story = Story::new();
        shown(story.at(1_000), "bob");
        assert_eq!(story.fails_only(KEYS), "alice-phone is given the keys of bob, who is no friend of alice");
    }
}
