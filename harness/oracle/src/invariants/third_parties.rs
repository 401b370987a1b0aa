//! AV-2, AV-6: what somebody off the path can do to a call, and what a call can be made to do to others.

use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{Part, Run, Seen},
    stun::{BINDING_REQUEST, BINDING_SUCCESS, Stun},
};
use kernel::{
    ActorName, Micros, SimTime, Track,
    bystander::Bystander,
    event::{CallStateName, EndReason, PacketSent, WireProtocol},
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
};

/// How long an attacked call may stand still.
const STALL: Micros = Micros::from_secs(1);
/// How long it may take from the accept to the first picture.
const START: Micros = Micros::from_secs(5);

/// AV-2. Only of runs in which an attacker is off the path.
pub(crate) fn off_path_attackers_cannot_disturb(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    if !Bystander::of(&run.plan.adversary).contains(&Bystander::OffPath) {
        return checks;
    }
    for (id, call) in &run.calls.by_id {
        let (Some((caller, callee)), Some(live)) = (call.devices, call.live) else { continue };
        for (device, peer) in [(caller, callee), (callee, caller)] {
            let Some(part) = run.part(device, *id) else { continue };
            judge_end(run, part, &mut checks);
            judge_start(run, part, live.at, &mut checks);
            judge_stalls(run, part, peer, live.at, &mut checks);
        }
    }
    judge_redirection(run, &mut checks);
    checks
}

fn judge_end(run: &Run, part: &Part, checks: &mut Checks) {
    let Some(ended) = part.ended else { return };
    let broken = matches!(ended.reason, EndReason::Security | EndReason::Failed);
    checks.check(!broken, ended.at, ended.index, || {
        format!(
            "the call of {} ends as {:?} while somebody off the path attacks it",
            run.cast.name(part.device),
            ended.reason
        )
    });
}

fn judge_start(run: &Run, part: &Part, accepted: SimTime, checks: &mut Checks) {
    let limit = accepted + START;
    if run.end < limit || part.over().is_some_and(|(at, _)| at < limit) {
        return;
    }
    let live = part.first(CallStateName::Live).filter(|(at, _)| *at <= limit);
    let record = live.map_or(part.began.1, |(_, record)| record);
    checks.check(live.is_some(), limit, record, || {
        format!(
            "{} is not in the call {START} after the accept, while somebody off the path attacks it",
            run.cast.name(part.device)
        )
    });
}

/// Pictures follow each other without a pause, from the first to the end, where the peer's camera is on.
fn judge_stalls(run: &Run, part: &Part, peer: usize, accepted: SimTime, checks: &mut Checks) {
    let (device, sender) = (run.cast.name(part.device), run.cast.name(peer));
    let is_filmed = run.events.encoded.of(sender).any(|seen| seen.track == Track::Video);
    let Some((live, record)) = part.first(CallStateName::Live).filter(|_| is_filmed) else { return };
    let end = [part.over(), run.part(peer, part.call).and_then(Part::over), Some((run.end, u64::MAX))];
    let end = end.into_iter().flatten().map(|(at, _)| at).min().unwrap_or(run.end);
    let shown = run.events.rendered.of(device);
    let shown = shown.filter(|seen| seen.sender == *sender && seen.at >= accepted && seen.at <= end);
    let mut last = (live, record);
    for (at, index) in shown.map(|seen| (seen.at, seen.index)).chain([(end, record)]) {
        let pause = at.max(last.0).since(last.0);
        checks.check(pause <= STALL, last.0, last.1, || {
            format!("{device} shows nothing of {sender} for {pause}, while somebody off the path attacks the call")
        });
        last = (at.max(last.0), index);
    }
}

/// No device sends media to the attacker.
fn judge_redirection(run: &Run, checks: &mut Checks) {
    let attacker = Bystander::OffPath.name();
    let mut reached = 0;
    for arrived in run.events.packets_arrived.of(&attacker) {
        let Some(sent) = run.packets.get(arrived.packet).and_then(|packet| packet.sent) else { continue };
        reached += 1;
        let is_media = matches!(sent.protocol, WireProtocol::Rtp | WireProtocol::Rtcp);
        checks.check(!is_media, arrived.at, arrived.index, || {
            format!("{} sends its media to somebody off the path, at {}", sent.from, sent.destination)
        });
    }
    checks.held(u64::from(reached == 0));
}

/// Addresses that never answered and are checked all the same, at most (RFC 8445).
const UNANSWERED: usize = 100;
/// Checks to such addresses in any second: one each 50 ms (RFC 8445, section 14.2), and ten at once after a pause.
const CHECKS_A_SECOND: usize = 30;
/// How long an answer permits to send (RFC 7675), and how much later a packet may leave that was on its way.
const CONSENT: Micros = Micros::from_millis(30_100);

/// AV-6. Of what goes to peers directly; through a relay it is the relay that is spoken to.
pub(crate) fn unanswered_addresses_are_spared(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for device in 0..run.cast.len() {
        judge_device(run, run.cast.name(device), &mut checks);
    }
    checks
}

fn judge_device(run: &Run, device: &ActorName, checks: &mut Checks) {
    let answers = answers_to(run, device);
    let servers: BTreeSet<_> =
        run.plan.relays.iter().chain([&run.plan.signaling]).map(|server| server.address).collect();
    let mut silent: BTreeSet<SocketAddr> = BTreeSet::new();
    let mut window: VecDeque<SimTime> = VecDeque::new();
    let own = run.events.packets_sent.of(device);
    for sent in own.filter(|sent| !servers.contains(&sent.destination.ip())) {
        let answered = answers.get(&sent.destination).map_or(&[][..], Vec::as_slice);
        let last = answered[..answered.partition_point(|at| *at <= sent.at)].last().copied();
        match (is_check(run, sent), last) {
            (true, None) => {
                window.push_back(sent.at);
                while window.front().is_some_and(|first| sent.at.since(*first) > Micros::from_secs(1)) {
                    window.pop_front();
                }
                if answered.is_empty() {
                    silent.insert(sent.destination);
                }
                let (addresses, count) = (silent.len(), window.len());
                checks.check(addresses <= UNANSWERED && count <= CHECKS_A_SECOND, sent.at, sent.index, || {
                    format!(
                        "{device} checks {addresses} addresses that never answer, {count} times within a second; at most \
                         {UNANSWERED} and {CHECKS_A_SECOND} are allowed"
                    )
                });
            }
            (false, Some(last)) if is_media(sent) => {
                let since = sent.at.since(last);
                checks.check(since <= CONSENT, sent.at, sent.index, || {
                    format!("{device} still sends to {} {since} after its last answer", sent.destination)
                });
            }
            _ => {}
        }
    }
}

/// When each address answered a check of the device.
fn answers_to(run: &Run, device: &ActorName) -> BTreeMap<SocketAddr, Vec<SimTime>> {
    let mut answers: BTreeMap<SocketAddr, Vec<SimTime>> = BTreeMap::new();
    for arrived in run.events.packets_arrived.of(device) {
        let Some(sent) = run.packets.get(arrived.packet).and_then(|packet| packet.sent) else { continue };
        let stun = Stun::read(run.log.bytes(sent.bytes)).filter(|_| sent.protocol == WireProtocol::Stun);
        if stun.is_some_and(|stun| stun.kind() == BINDING_SUCCESS) {
            answers.entry(arrived.source).or_default().push(arrived.at);
        }
    }
    answers
}

fn is_check(run: &Run, sent: &Seen<PacketSent>) -> bool {
    sent.protocol == WireProtocol::Stun
        && Stun::read(run.log.bytes(sent.bytes)).is_some_and(|stun| stun.kind() == BINDING_REQUEST)
}

fn is_media(sent: &PacketSent) -> bool {
    matches!(sent.protocol, WireProtocol::Rtp | WireProtocol::Rtcp | WireProtocol::Dtls)
}

#[cfg(test)]
mod tests {
    use crate::story::{Story, address_of};
    use kernel::{
        event::{EndReason, WireProtocol},
        plan::AdversaryPlan,
    };
    use std::net::SocketAddr;

    const DISTURB: &str = "off_path_attackers_cannot_disturb";
    const SPARED: &str = "unanswered_addresses_are_spared";

    fn attacked() -> Story {
        let mut story = Story::new();
        story.plan.adversary = vec![AdversaryPlan::GarbageMedia];
        story.live();
        story
    }

    /// Ten seconds of video both ways, with a pause of so many milliseconds in the middle.
    fn filmed(pause: u64) -> Story {
        let mut story = attacked();
        for number in 0..100 {
            let at = 7_320 + u64::from(number) * 100 + if number >= 50 { pause } else { 0 };
            story.at(at).frame("alice-phone", number);
            story.at(at + 50).frame("bob-phone", number);
        }
        story.over(17_500 + pause);
        story
    }

    #[test]
    fn a_call_that_goes_on_is_not_disturbed() {
        assert!(filmed(0).holds(DISTURB) > 200);
        assert!(filmed(800).holds(DISTURB) > 200);
    }

    #[test]
    fn a_call_that_stands_still_is() {
        let sentence = filmed(1_100).fails_only(DISTURB);
        assert!(sentence.contains("shows nothing of"), "{sentence}");
    }

    #[test]
    fn without_an_attacker_nothing_is_judged() {
        let mut story = Story::new();
        story.live().over(17_500);
        assert_eq!(story.report(DISTURB).checks, 0);
    }

    #[test]
    fn a_call_that_breaks_is_disturbed() {
        for reason in [EndReason::Failed, EndReason::Security] {
            let mut story = attacked();
            story.at(8_000).ended("alice-phone", reason).ended("bob-phone", EndReason::PeerHungUp);
            let sentence = story.fails_only(DISTURB);
            assert!(sentence.starts_with(&format!("the call of alice-phone ends as {reason:?}")), "{sentence}");
        }
    }

    #[test]
    fn media_that_reaches_the_attacker_is_redirected() {
        let mut story = attacked();
        let attacker: SocketAddr = "192.0.2.250:4444".parse().unwrap();
        let path = (address_of("alice-phone"), attacker);
        story.packet(("alice-phone", "off-path"), path, WireProtocol::Stun, &check(1));
        story.packet(("alice-phone", "off-path"), path, WireProtocol::Rtp, &[0x80; 40]);
        story.over(7_900);
        let report = story.report(DISTURB);
        let sentence = report.first_violation.unwrap().message;
        assert_eq!(sentence, format!("alice-phone sends its media to somebody off the path, at {attacker}"));
    }

    fn message(kind: u16, id: u8) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &[0, 0, 0x21, 0x12, 0xa4, 0x42], &[id; 12]].concat()
    }

    fn check(id: u8) -> Vec<u8> {
        message(0x0001, id)
    }

    fn third_party(n: u64) -> SocketAddr {
        SocketAddr::from(([198, 51, 100, 100], 7_000 + n as u16))
    }

    /// Bob's device checks so many addresses, one in each time.
    fn checks(count: u64, every_ms: u64) -> Story {
        let mut story = Story::new();
        for n in 0..count {
            story.at(10_000 + n * every_ms);
            story.packet(
                ("bob-phone", "nobody"),
                (address_of("bob-phone"), third_party(n)),
                WireProtocol::Stun,
                &check(1),
            );
        }
        story
    }

    #[test]
    fn a_hundred_addresses_are_checked_in_turn() {
        assert_eq!(checks(100, 50).holds(SPARED), 100);
        let sentence = checks(101, 50).fails_only(SPARED);
        assert!(sentence.starts_with("bob-phone checks 101 addresses that never answer"), "{sentence}");
    }

    #[test]
    fn checks_are_paced() {
        assert!(checks(31, 20).fails_only(SPARED).contains("31 times within a second"));
        checks(30, 1).holds(SPARED);
    }

    #[test]
    fn an_address_that_answers_may_be_sent_to_for_thirty_seconds() {
        let until = |ms: u64| {
            let mut story = Story::new();
            let (alice, bob) = (address_of("alice-phone"), address_of("bob-phone"));
            story.at(10_000).packet(("alice-phone", "bob-phone"), (alice, bob), WireProtocol::Stun, &check(1));
            story.packet(("bob-phone", "alice-phone"), (bob, alice), WireProtocol::Stun, &message(0x0101, 1));
            story.at(10_000 + ms).packet(("alice-phone", "bob-phone"), (alice, bob), WireProtocol::Dtls, &[20; 20]);
            story
        };
        assert_eq!(until(30_000).holds(SPARED), 1);
        let sentence = until(30_200).fails_only(SPARED);
        assert!(sentence.starts_with("alice-phone still sends to 198.51.100.22:5000"), "{sentence}");
    }
}
