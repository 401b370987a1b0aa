//! PRV-3: what a push service learns.

use crate::{catalogue::Evidence, checks::Checks, run::Run, views::spellings};
use std::collections::BTreeMap;

/// The shortest spelling that is searched for in a payload ...
const SHORTEST: usize = 3;
/// ... and in a token, whose sixteen random bytes hold shorter ones by chance.
const SHORTEST_IN_TOKEN: usize = 6;

/// PRV-3. Each push twice: it names nobody, neither in its payload nor in the token, and it says what all say to a device
/// with a token of its own.
pub(crate) fn pushes_name_nobody(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    let names = names(run);
    let mut tokens: BTreeMap<&[u8], &kernel::ActorName> = BTreeMap::new();
    let mut said = None;
    for push in &run.events.pushes {
        let (token, payload) = (run.log.bytes(push.token), run.log.bytes(push.payload));
        let named = names.iter().find(|(_, forms)| {
            forms.iter().any(|form| {
                form.len() >= SHORTEST && holds(payload, form) || form.len() >= SHORTEST_IN_TOKEN && holds(token, form)
            })
        });
        checks.check(named.is_none(), push.at, push.index, || {
            let what = named.map_or("", |(what, _)| what.as_str());
            format!("a push tells {} of {what}", push.service)
        });
        let first = *said.get_or_insert(payload);
        let device = push.get().device.as_ref();
        let holder = device.map(|device| *tokens.entry(token).or_insert(device));
        let is_plain = named.is_some() || payload == first && holder == device;
        checks.check(is_plain, push.at, push.index, || {
            if payload == first {
                format!("two devices have one token at {}", push.service)
            } else {
                format!("a push says something else to {} than the one before", push.service)
            }
        });
    }
    checks
}

/// What must not be in a push, in all its spellings: users, devices, calls.
fn names(run: &Run) -> Vec<(String, Vec<Vec<u8>>)> {
    let mut names: Vec<(String, Vec<Vec<u8>>)> = Vec::new();
    let mut add = |what: String, raw: &[u8]| {
        let reversed: Vec<u8> = raw.iter().rev().copied().collect();
        names.push((what, spellings(raw).into_iter().chain(spellings(&reversed)).collect()));
    };
    for participant in &run.plan.participants {
        add(format!("the user {}", participant.user), participant.user.as_str().as_bytes());
        add(format!("the device {}", participant.device), participant.device.as_str().as_bytes());
    }
    for id in run.calls.by_id.keys() {
        add(format!("the call {id}"), &id.0);
    }
    names
}

fn holds(bytes: &[u8], form: &[u8]) -> bool {
    bytes.windows(form.len()).any(|window| window == form)
}

#[cfg(test)]
mod tests {
    use crate::story::{CALL, Story};
    use kernel::event::{Event, PushAsked};

    const NOBODY: &str = "pushes_name_nobody";

    fn pushed(story: &mut Story, device: &str, token: &[u8], payload: &[u8]) {
        let (token, payload) = (story.store(token), story.store(payload));
        let (service, device) = ("push".into(), Some(device.into()));
        story.tell(Event::PushAsked(PushAsked { service, device, token, payload }));
    }

    fn one(token: &[u8], payload: &[u8]) -> Story {
        let mut story = Story::new();
        pushed(story.befriend().ringing(), "bob-phone", token, payload);
        story
    }

    #[test]
    fn a_push_that_says_nothing_holds() {
        assert_eq!(one(&[9; 16], b"wake").holds(NOBODY), 2);
        assert_eq!(Story::new().holds(NOBODY), 0);
    }

    #[test]
    fn names_and_calls_are_found_however_they_are_written() {
        let call = CALL.to_string();
        for payload in [
            &b"alice is calling"[..],
            b"for bob-phone",
            b"616c696365",
            b"xYWxpY2U=", // base64 of "alice" within a text
            b"ecila",
            call.as_bytes(),
            &CALL.0,
        ] {
            let sentence = one(&[9; 16], payload).fails_only(NOBODY);
            assert!(sentence.starts_with("a push tells push of the "), "{sentence}");
        }
        assert_eq!(one(b"token: bob-phone", b"wake").fails_only(NOBODY), "a push tells push of the device bob-phone");
    }

    #[test]
    fn pushes_are_alike_and_tokens_are_not() {
        let two = |token: &[u8], payload: &[u8]| {
            let mut story = one(&[9; 16], b"wake");
            pushed(&mut story, "alice-phone", token, payload);
            story
        };
        assert_eq!(two(&[8; 16], b"wake").holds(NOBODY), 4);
        let sentence = two(&[8; 16], b"ring").fails_only(NOBODY);
        assert_eq!(sentence, "a push says something else to push than the one before");
        assert_eq!(two(&[9; 16], b"wake").fails_only(NOBODY), "two devices have one token at push");
    }
}
