//! What a screen shows, and what follows from it: PH-4, PH-5, PRV-8, ID-5.

use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{Call, Run, Seen},
};
use kernel::{
    ActorName, CallId, Track, UserName,
    event::{Act, Screen, Ui, UserAct, Verification},
};

/// PH-4. From when a link is opened until the user calls or accepts, no call of the device's begins and no track opens for
/// one that rings meanwhile.
pub(crate) fn links_only_ask(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for opened in acts(run).filter(|act| matches!(act.what, Act::OpenLink { .. })) {
        let Some(device) = run.cast.device(&opened.device) else { continue };
        let decides = |act: &&Seen<UserAct>| {
            act.index > opened.index
                && act.device == opened.device
                && matches!(act.what, Act::Call { .. } | Act::Accept { .. })
        };
        let until = acts(run).find(|act| decides(act)).map_or(u64::MAX, |act| act.index);
        let window = opened.index..until;
        let mut begun = run.calls.parts.values().filter(|part| part.device == device && window.contains(&part.began.1));
        let called = begun.clone().find(|part| part.ring.is_none()).map(|part| part.began);
        let captured = begun.find_map(|part| {
            let mut switched = run.events.captures.of(&opened.device);
            switched.find(|seen| seen.on && seen.call == part.call && window.contains(&seen.index))
        });
        let captured = captured.map(|seen| (seen.at, seen.index));
        let started = called.into_iter().chain(captured).min_by_key(|moment| moment.1);
        let (at, record) = started.unwrap_or((opened.at, opened.index));
        checks.check(started.is_none(), at, record, || {
            let does = if called.is_some() { "calls" } else { "captures" };
            format!("{} {does} because a link was opened, and its user was not asked", opened.device)
        });
    }
    checks
}

/// PRV-8. Of devices that are locked at some time: every screen and every thread that they show.
pub(crate) fn a_locked_device_shows_the_caller_only(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for device in (0..run.cast.len()).map(|device| run.cast.name(device)) {
        if !acts(run).any(|act| act.device == *device && act.what == Act::Lock) {
            continue;
        }
        for shown in run.events.screens.iter().filter(|shown| shown.device == *device) {
            let tells = matches!(shown.screen, Screen::Compose { .. } | Screen::Outgoing { .. });
            checks.check(!tells || !is_locked(run, device, shown.index), shown.at, shown.index, || {
                format!("{device} is locked and lets somebody begin a call")
            });
        }
        for shown in run.events.threads_shown.of(device) {
            checks.check(!is_locked(run, device, shown.index), shown.at, shown.index, || {
                format!("{device} is locked and shows the {} rows of the thread with {}", shown.rows, shown.peer)
            });
        }
    }
    checks
}

fn is_locked(run: &Run, device: &ActorName, index: u64) -> bool {
    let mut turned = acts(run).filter(|act| act.device == *device && act.index < index);
    turned.rfind(|act| matches!(act.what, Act::Lock | Act::Unlock)).is_some_and(|act| act.what == Act::Lock)
}

/// PH-5. Each ring screen against the server's record of the call, the device that sent its invite, and what its user did.
pub(crate) fn ring_screen_shows_the_roster(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for Rung { shown, id, call, caller } in rung(run) {
        let Screen::Incoming { peer, calling_device, video, .. } = &shown.screen else { continue };
        checks.check(peer == caller, shown.at, shown.index, || {
            format!("{} shows that {peer} calls, and it is {caller}", shown.device)
        });
        let Some(invited) = call.invited else { continue };
        checks.check(*calling_device == invited.from, shown.at, shown.index, || {
            format!("{} shows a call from {calling_device}, and it comes from {}", shown.device, invited.from)
        });
        let part = run.cast.device(&invited.from).and_then(|device| run.part(device, id));
        let Some(consent) = part.and_then(|part| part.consents.first()) else { continue };
        let with_video = consent.tracks.contains(&Track::Video);
        checks.check(*video == with_video, shown.at, shown.index, || {
            let [shows, is] = [*video, with_video].map(|video| if video { "with video" } else { "by voice" });
            format!("{} shows a call {shows}, and {caller} calls {is}", shown.device)
        });
    }
    checks
}

/// ID-5. What a ring screen says of the caller's devices, against the lists that the device has seen: as its user verified
/// them, others since, or never compared.
pub(crate) fn changed_identities_are_shown(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for Rung { shown, caller, .. } in rung(run) {
        let Screen::Incoming { verification, .. } = &shown.screen else { continue };
        let compared = acts(run).filter(|act| act.device == shown.device && act.index < shown.index);
        let compared = compared.filter(|act| matches!(&act.what, Act::Verify { user } if user == caller));
        // Who holds a locked device is nobody.
        let compared = compared.filter(|act| !is_locked(run, &shown.device, act.index));
        let verified = compared.filter_map(|act| list(run, &shown.device, caller, act.index)).next_back();
        let expected = match verified {
            None => Verification::Unverified,
            Some(then) if list(run, &shown.device, caller, shown.index) == Some(then) => Verification::Verified,
            Some(_) => Verification::Changed,
        };
        checks.check(*verification == expected, shown.at, shown.index, || {
            format!("{} shows the devices of {caller} as {verification:?}, and they are {expected:?}", shown.device)
        });
    }
    checks
}

/// The last list of a user's devices that a device took before a record.
fn list<'a>(run: &Run<'a>, device: &ActorName, user: &UserName, index: u64) -> Option<&'a [String]> {
    let mut seen = run.events.lists.of(device);
    let last = seen.rfind(|list| list.taken && list.user == *user && list.index < index)?;
    Some(&last.get().links)
}

fn acts<'r, 'a>(run: &'r Run<'a>) -> impl DoubleEndedIterator<Item = &'r Seen<'a, UserAct>> {
    run.events.user_acts.iter()
}

/// A ring screen with the call that the server rings for.
struct Rung<'r, 'a> {
    shown: Seen<'a, Ui>,
    id: CallId,
    call: &'r Call<'a>,
    caller: &'r UserName,
}

fn rung<'r, 'a>(run: &'r Run<'a>) -> impl Iterator<Item = Rung<'r, 'a>> {
    run.events.screens.iter().filter_map(|shown| {
        let Screen::Incoming { call: id, .. } = &shown.get().screen else { return None };
        let call = run.calls.by_id.get(id)?;
        Some(Rung { shown: *shown, id: *id, call, caller: call.caller.as_ref()? })
    })
}

#[cfg(test)]
mod tests {
    use crate::story::{CALL, Story};
    use kernel::{
        Track,
        event::{self, Act, CallStateName, Event, Screen, Verification},
    };

    const LINKS: &str = "links_only_ask";
    const LOCKED: &str = "a_locked_device_shows_the_caller_only";
    const ROSTER: &str = "ring_screen_shows_the_roster";
    const IDENTITIES: &str = "changed_identities_are_shown";

    fn show(story: &mut Story, device: &str, screen: Screen) {
        let user = device.split('-').next().unwrap().into();
        story.tell(Event::Ui(event::Ui { user, device: device.into(), screen }));
    }

    fn incoming(peer: &str, calling_device: &str, video: bool, verification: Verification) -> Screen {
        let (peer, calling_device, looks_like) = (peer.into(), calling_device.into(), None);
        Screen::Incoming { call: CALL, peer, calling_device, video, verification, looks_like, waits: false }
    }

    fn link(story: &mut Story, device: &str) {
        story.act(device, Act::OpenLink { link: "callproof://call/bob?auto=1".into() });
    }

    #[test]
    fn a_link_that_asks_and_a_user_who_calls_hold() {
        let mut story = Story::new();
        link(story.at(5_000), "alice-phone");
        story.live().over(9_000);
        assert_eq!(story.holds(LINKS), 1);
    }

    #[test]
    fn a_link_that_calls_by_itself() {
        let mut story = Story::new();
        link(story.befriend().at(5_000), "alice-phone");
        story.state("alice-phone", CallStateName::Idle, CallStateName::Outgoing);
        let sentence = story.fails_only(LINKS);
        assert_eq!(sentence, "alice-phone calls because a link was opened, and its user was not asked");
    }

    #[test]
    fn a_link_that_answers_by_itself() {
        let mut story = Story::new();
        link(story.at(500), "bob-phone");
        story.befriend().ringing().at(6_500).capture("bob-phone", Track::Audio, true);
        let report = story.report(LINKS);
        let sentence = report.first_violation.unwrap().message;
        assert_eq!(sentence, "bob-phone captures because a link was opened, and its user was not asked");
    }

    fn thread(story: &mut Story) {
        let (device, peer) = ("bob-phone".into(), "alice".into());
        story.tell(Event::ThreadShown(event::ThreadShown { device, peer, rows: 3 }));
    }

    #[test]
    fn a_device_shows_threads_before_it_is_locked_and_after() {
        let mut story = Story::new();
        thread(story.at(500));
        story.act("bob-phone", Act::Lock).befriend().ringing();
        show(&mut story, "bob-phone", incoming("alice", "alice-phone", true, Verification::Unverified));
        story.at(6_500).act("bob-phone", Act::Unlock);
        thread(&mut story);
        assert_eq!(story.holds(LOCKED), 3);
    }

    #[test]
    fn a_locked_device_that_shows_more() {
        let mut story = Story::new();
        thread(story.at(500).act("bob-phone", Act::Lock));
        assert_eq!(story.fails_only(LOCKED), "bob-phone is locked and shows the 3 rows of the thread with alice");
        let mut story = Story::new();
        show(
            story.at(500).act("bob-phone", Act::Lock),
            "bob-phone",
            Screen::Compose { peer: "alice".into(), video: true },
        );
        assert_eq!(story.fails_only(LOCKED), "bob-phone is locked and lets somebody begin a call");
    }

    #[test]
    fn devices_that_nobody_locks_are_not_judged() {
        let mut story = Story::new();
        thread(story.at(500));
        assert_eq!(story.holds(LOCKED), 0);
    }

    #[test]
    fn a_ring_screen_is_of_the_caller() {
        let shown = |screen| {
            let mut story = Story::new();
            show(story.befriend().ringing(), "bob-phone", screen);
            story
        };
        let unverified = Verification::Unverified;
        assert_eq!(shown(incoming("alice", "alice-phone", true, unverified)).holds(ROSTER), 3);
        for (screen, sentence) in [
            (incoming("mom", "alice-phone", true, unverified), "bob-phone shows that mom calls, and it is alice"),
            (
                incoming("alice", "alice-tablet", true, unverified),
                "bob-phone shows a call from alice-tablet, and it comes from alice-phone",
            ),
            (
                incoming("alice", "alice-phone", false, unverified),
                "bob-phone shows a call by voice, and alice calls with video",
            ),
        ] {
            assert_eq!(shown(screen).fails_only(ROSTER), sentence);
        }
    }

    /// Bob's device sees lists of alice's devices, and bob compares after so many of them. Then it rings.
    fn lists(seen: &[&[&str]], compared_after: Option<usize>, shown: Verification) -> Story {
        let mut story = Story::new();
        story.befriend().at(2_000);
        for (list, number) in seen.iter().zip(0..) {
            let (device, user) = ("bob-phone".into(), "alice".into());
            let links = list.iter().map(|link| (*link).to_owned()).collect();
            story.tell(Event::DeviceListSeen(event::DeviceListSeen { device, user, links, taken: true }));
            if compared_after == Some(number) {
                story.act("bob-phone", Act::Verify { user: "alice".into() });
            }
        }
        show(story.ringing(), "bob-phone", incoming("alice", "alice-phone", true, shown));
        story
    }

    #[test]
    fn what_was_verified_is_and_what_came_since_is_not() {
        let (old, new): (&[&str], &[&str]) = (&["a"], &["a", "b"]);
        for (seen, compared_after, expected) in [
            (&[old][..], None, Verification::Unverified),
            (&[old], Some(0), Verification::Verified),
            (&[old, old], Some(0), Verification::Verified),
            (&[old, new], Some(0), Verification::Changed),
            (&[old, new], Some(1), Verification::Verified),
        ] {
            assert_eq!(lists(seen, compared_after, expected).holds(IDENTITIES), 1);
        }
        let sentence = lists(&[old, new], Some(0), Verification::Verified).fails_only(IDENTITIES);
        assert_eq!(sentence, "bob-phone shows the devices of alice as Verified, and they are Changed");
    }
}
