//! ID: nobody can sit in the middle.

use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{Part, Run, Seen},
};
use kernel::event::{Attack, AttackKind, CallStateName, EndReason};

/// ID-1. A swap that is aimed at no device in particular is judged at every device of the call.
pub(crate) fn fingerprint_swap_ends_the_call(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for attack in run.events.attacks.iter().filter(|attack| attack.kind == AttackKind::SwapFingerprint) {
        for part in targets(run, *attack) {
            judge(run, *attack, part, &mut checks);
        }
    }
    checks
}

fn targets<'r, 'a>(run: &'r Run<'a>, attack: Seen<Attack>) -> Vec<&'r Part<'a>> {
    let device = run.cast.device(&attack.target);
    let parts = run.calls.parts.values().filter(|part| device.is_none_or(|device| part.device == device));
    match attack.call {
        Some(call) => parts.filter(|part| part.call == call).collect(),
        // The call that the device was in, or entered next.
        None => {
            let of_device = parts.filter(|part| part.over().is_none_or(|(_, index)| index > attack.index));
            of_device.min_by_key(|part| part.began.1).into_iter().collect()
        }
    }
}

fn judge(run: &Run, attack: Seen<Attack>, part: &Part, checks: &mut Checks) {
    let device = run.cast.name(part.device);
    let entered = part.states.iter().find(|state| {
        state.index > attack.index && matches!(state.to, CallStateName::Connecting | CallStateName::Live)
    });
    if let Some(entered) = entered {
        checks.fail(entered.at, entered.index, || {
            format!("{device} goes on to {:?} with what signaling put in place of its peer's keys", entered.to)
        });
    }
    let rendered = run.events.rendered.of(device).find(|seen| {
        let call = run.call_at(part.device, seen.index).map(|part| part.call);
        seen.index > attack.index && call == Some(part.call)
    });
    if let Some(rendered) = rendered {
        checks.fail(rendered.at, rendered.index, || {
            format!("{device} shows a picture of a call whose keys were swapped")
        });
    }
    // The body is opened when the user accepts: a call that nobody answered shows nothing either way.
    let Some((at, record)) = part.over() else {
        return checks
            .fail(attack.at, attack.index, || format!("the call at {device} goes on after its keys were swapped"));
    };
    if part.consents.is_empty() {
        return;
    }
    let reason = part.ended.map(|ended| ended.reason);
    checks.check(reason == Some(EndReason::Security), at, record, || {
        format!("the call at {device} ends as {reason:?} and not as a security failure after its keys were swapped")
    });
}

#[cfg(test)]
mod tests {
    use crate::story::{CALL, Story};
    use kernel::event::{self, Act, AttackKind, CallStateName, EndReason, Event};

    const SWAP: &str = "fingerprint_swap_ends_the_call";

    fn swapped() -> Story {
        let mut story = Story::new();
        story.befriend().ringing();
        let (target, call, detail) = ("bob-phone".into(), Some(CALL), "offer replaced".into());
        story.tell(Event::Attack(event::Attack { kind: AttackKind::SwapFingerprint, target, call, detail }));
        story.at(7_000).act("bob-phone", Act::Accept { video: true });
        story.state("bob-phone", CallStateName::Incoming, CallStateName::Accepting);
        story
    }

    #[test]
    fn the_call_ends_as_a_security_failure() {
        let mut story = swapped();
        story.at(7_001).ended("bob-phone", EndReason::Security).ended("alice-phone", EndReason::Declined);
        assert_eq!(story.holds(SWAP), 1);
    }

    #[test]
    fn the_call_goes_on() {
        let mut story = swapped();
        story.at(7_100).state("bob-phone", CallStateName::Accepting, CallStateName::Connecting);
        story.at(9_000).ended("bob-phone", EndReason::Failed).ended("alice-phone", EndReason::Failed);
        let sentence = story.fails_only(SWAP);
        assert_eq!(sentence, "bob-phone goes on to Connecting with what signaling put in place of its peer's keys");
    }

    #[test]
    fn the_call_ends_for_another_reason() {
        let mut story = swapped();
        story.at(7_001).ended("bob-phone", EndReason::Failed).ended("alice-phone", EndReason::Failed);
        story.fails_only(SWAP);
    }

    #[test]
    fn the_call_does_not_end() {
        let mut story = swapped();
        story.at(9_000).signal("signaling", "bob-phone", "done", b"");
        story.fails_only(SWAP);
    }
}
