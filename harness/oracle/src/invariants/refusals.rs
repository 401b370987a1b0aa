//! FG-7, PRV-5: who may not ring learns nothing from the refusal, not even from its time.

use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{Friendships, Run, Seen, Settings},
};
use kernel::{
    Micros, SimTime, UserName,
    event::{Act, Signal},
};
use std::collections::BTreeMap;

/// How long before a request the server must have had nothing to do, so that its time is that of the request alone.
const QUIET: Micros = Micros::from_millis(100);
/// How long after the act its request may come: the way to the server, with retransmissions.
pub(super) const ON_ITS_WAY: Micros = Micros::from_secs(5);

/// What a refused caller sees: the kind of answer, its bytes without what they repeat of the request, and its time.
#[derive(PartialEq, Eq)]
pub(super) struct Answer {
    message: String,
    bytes: Vec<u8>,
    echoed: usize,
    after: Micros,
}

impl Answer {
    /// How it differs from another, for a sentence.
    pub(super) fn differs(&self, other: &Answer) -> String {
        if self.after != other.after {
            format!("after {} and not after {}", self.after, other.after)
        } else {
            format!("by other bytes of {}", self.message)
        }
    }
}

/// FG-7. Each refusal is compared with the run's first of the same kind of request.
pub(crate) fn refusals_are_alike(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let (friendships, settings) = (Friendships::of(run), Settings::of(run));
    let mut first: BTreeMap<&str, (Answer, &UserName)> = BTreeMap::new();
    let mut checks = Checks::default();
    for act in &run.events.user_acts {
        let Act::Call { user: callee, .. } = &act.what else { continue };
        let Some(request) = request(run, act.at, act.index, &act.device) else { continue };
        let are_friends = friendships.may_ring(&act.user, callee, request.index);
        // A friend gets the keys, also one whom the callee's setting does not let call.
        let is_let = settings.lets_call(&act.user, callee, request.index) || request.message != "invite";
        if are_friends && is_let || !is_quiet(run, request, QUIET) {
            continue;
        }
        let Some(told) = run.events.signals.of(&act.device).find(|told| told.index > request.index) else { continue };
        let answer = answer(run, request, *told);
        let Some((reference, other)) = first.get(request.message.as_str()) else {
            first.insert(&request.get().message, (answer, callee));
            continue;
        };
        checks.check(answer == *reference, told.at, told.index, || {
            format!("{} is refused a call to {callee} {}, as for {other}", act.user, answer.differs(reference))
        });
    }
    checks
}

/// The first request of a device about a call after its user's act: for keys, or the invite.
fn request<'a>(run: &Run<'a>, at: SimTime, index: u64, device: &kernel::ActorName) -> Option<Seen<'a, Signal>> {
    let server = &run.plan.signaling.name;
    let sent = run.events.signals.of(server).filter(|sent| sent.index > index && sent.from == *device);
    let about_calls = |sent: &&Seen<'a, Signal>| matches!(sent.message.as_str(), "fetch_keys" | "invite");
    sent.take_while(|sent| sent.at <= at + ON_ITS_WAY).find(about_calls).copied()
}

pub(super) fn answer(run: &Run, request: Seen<Signal>, told: Seen<Signal>) -> Answer {
    let (asked, said) = (run.log.bytes(request.body), run.log.bytes(told.body));
    // Kind first, then what joins the answer to its request: a number, or the call.
    let echoed = said.iter().skip(1).zip(asked.iter().skip(1)).take_while(|(said, asked)| said == asked).count();
    let bytes = said.iter().enumerate().filter(|(place, _)| *place == 0 || *place > echoed).map(|(_, byte)| *byte);
    Answer { message: told.message.clone(), bytes: bytes.collect(), echoed, after: told.at.since(request.at) }
}

/// Whether the server heard and said nothing else from so long before the request until its answer.
pub(super) fn is_quiet(run: &Run, request: Seen<Signal>, quiet: Micros) -> bool {
    let before = |at: SimTime| at <= request.at && request.at.since(at) < quiet;
    let signals = &run.events.signals;
    let place = signals.partition_point(|signal| signal.index < request.index);
    let is_alone = signals[..place].iter().rev().take_while(|signal| before(signal.at)).next().is_none();
    let next = signals.get(place + 1);
    let facts = &run.events.facts;
    let fact = facts[..facts.partition_point(|fact| fact.index < request.index)].last();
    is_alone && next.is_none_or(|next| next.to == request.from) && fact.is_none_or(|fact| !before(fact.at))
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use kernel::event::{Act, Fact};

    const NAME: &str = "refusals_are_alike";

    /// Each time about somebody else: what changes of one is another invariant's.
    fn asks(story: &mut Story, ms: u64, request: u8, answer: &[u8], after: u64) {
        let call = Act::Call { user: ["bob", "carol", "dave", "bob"][usize::from(request - 1)].into(), video: true };
        story.at(ms).act("alice-phone", call).at(ms + 20);
        story.signal("alice-phone", "signaling", "fetch_keys", &[6, request, b'b', b'o', b'b']);
        story.at(ms + 20 + after).signal("signaling", "alice-phone", "refused", answer);
    }

    #[test]
    fn refusals_with_the_number_of_their_request_after_the_same_time_are_alike() {
        let mut story = Story::new();
        asks(&mut story, 1_000, 1, &[2, 1], 1);
        asks(&mut story, 2_000, 2, &[2, 2], 1);
        asks(&mut story, 3_000, 3, &[2, 3], 1);
        assert_eq!(story.holds(NAME), 2);
    }

    #[test]
    fn another_time_or_another_byte_is_found() {
        let mut story = Story::new();
        asks(&mut story, 1_000, 1, &[2, 1], 1);
        asks(&mut story, 2_000, 2, &[2, 2], 2);
        let sentence = story.fails_only(NAME);
        assert_eq!(sentence, "alice is refused a call to carol after 2.000 ms and not after 1.000 ms, as for bob");
        for other in [&[3, 2][..], &[2, 2, 0], &[2, 7]] {
            let mut story = Story::new();
            asks(&mut story, 1_000, 1, &[2, 1], 1);
            asks(&mut story, 2_000, 2, other, 1);
            assert!(story.fails_only(NAME).contains("by other bytes"));
        }
    }

    #[test]
    fn who_may_ring_or_asks_a_busy_server_is_not_judged() {
        let mut story = Story::new();
        asks(&mut story, 1_000, 1, &[2, 1], 1);
        story.at(1_990).signal("bob-phone", "signaling", "unfriend", &[]);
        asks(&mut story, 2_000, 2, &[2, 2], 50);
        story.at(3_000).fact(Fact::Befriended { by: "bob".into(), other: "alice".into() });
        asks(&mut story, 4_000, 4, &[3, 4, 9], 3);
        assert_eq!(story.holds(NAME), 0);
    }
}
