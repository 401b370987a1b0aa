//! CON: nothing before the user's own act, nothing after its end.

use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{Part, Run, carries_rtp},
};
use kernel::{
    Micros, SimTime, Track,
    event::{CallStateName, WireProtocol},
};

/// How long packets that were on their way inside the device may still leave it after the end.
const AFTERGLOW: Micros = Micros::from_millis(500);

/// CON-1, CON-2.
pub(crate) fn nothing_before_accept(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for switched in run.events.captures.iter().filter(|switched| switched.on) {
        let Some(device) = run.cast.device(&switched.device) else { continue };
        let consented = run.part(device, switched.call).is_some_and(|part| part.consented(switched.track, switched.index));
        checks.check(consented, switched.at, switched.index, || {
            format!("{} switches {} on, but its user neither called nor accepted with it", switched.device, switched.track)
        });
    }
    let mut judge = |device: &kernel::ActorName, track: Track, at: SimTime, index: u64, does: &str| {
        let Some(number) = run.cast.device(device) else { return };
        let consented = run.call_at(number, index).is_some_and(|part| part.consented(track, index));
        checks.check(consented, at, index, || {
            format!("{device} {does} {track}, but its user neither called nor accepted with it")
        });
    };
    for captured in &run.events.captured {
        judge(&captured.device, captured.track, captured.at, captured.index, "captures");
    }
    for sent in &run.events.rtp_sent {
        judge(&sent.device, sent.track, sent.at, sent.index, "sends");
    }
    judge_media_packets(run, &mut checks);
    checks
}

/// What the wire shows without the device's word: RTP of whatever kind needs consent to sound at least.
fn judge_media_packets(run: &Run, checks: &mut Checks) {
    for sent in &run.events.packets_sent {
        if sent.protocol != WireProtocol::Rtp {
            continue;
        }
        let Some(device) = run.cast.device(&sent.from) else { continue };
        let consented = run.call_at(device, sent.index).is_some_and(|part| part.consented(Track::Audio, sent.index));
        checks.check(consented, sent.at, sent.index, || {
            format!("media leaves {}, whose user neither called nor accepted", sent.from)
        });
    }
}

/// CON-3, CON-4. The gate of the parsers is the device's accept, that of packets the server's: profile `strict`.
pub(crate) fn nothing_parsed_or_sent_before_accept(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for part in run.calls.parts.values() {
        let Some(ring) = part.ring else { continue };
        let device = run.cast.name(part.device);
        let accepting = part.accepting().map_or(SimTime::NEVER, |(at, _)| at);
        for entered in run.events.parsers.iter().filter(|seen| seen.device == *device && seen.call == part.call) {
            checks.check(entered.at >= accepting, entered.at, entered.index, || {
                format!("{device} enters its {} parser for a call that it has not accepted", entered.parser)
            });
        }
        let window = ring.index..silent_until(run, part);
        let mut sent = run.events.packets_sent.iter().filter(|sent| {
            // RTP is the business of nothing_before_accept.
            window.contains(&sent.index)
                && sent.from == *device
                && sent.destination.ip() != run.plan.signaling.address
                && !carries_rtp(sent.protocol, run.log.bytes(sent.bytes))
        });
        let first = sent.next();
        let (at, record) = first.map_or((ring.at, ring.index), |sent| (sent.at, sent.index));
        checks.check(first.is_none(), at, record, || {
            let protocol = first.map_or(String::new(), |sent| format!("{:?} ", sent.protocol).to_lowercase());
            let count = 1 + sent.count();
            format!("{device} sends {count} {protocol}packets past signaling for a call that is not accepted")
        });
        let offered = run.events.candidates.iter().find(|seen| {
            window.contains(&seen.index) && seen.device == *device && seen.offered
        });
        let (at, record) = offered.map_or((ring.at, ring.index), |seen| (seen.at, seen.index));
        checks.check(offered.is_none(), at, record, || format!("{device} offers a candidate for a call that is not accepted"));
    }
    checks
}

/// The record up to which a ringing device is to be silent: the server's acceptance, or the device's next call.
fn silent_until(run: &Run, part: &Part) -> u64 {
    let told = run.calls.by_id.get(&part.call).and_then(|call| call.accepted_from());
    let next = run.calls.parts.values().filter(|other| other.device == part.device && other.began.1 > part.began.1);
    told.into_iter().chain(next.map(|next| next.began.1)).min().unwrap_or(u64::MAX)
}

/// CON-8.
pub(crate) fn media_stops_after_hangup(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for part in run.calls.parts.values() {
        let Some(end) = part.hung_up.into_iter().chain(part.over()).min_by_key(|moment| moment.1) else { continue };
        let limit = end.0 + AFTERGLOW;
        let had_media = part.first(CallStateName::Live).is_some() || sends_media(run, part, part.began.0, end.0).is_some();
        if !had_media || run.end < limit {
            continue;
        }
        let late = sends_media(run, part, limit + Micros(1), SimTime::NEVER);
        let (at, record) = late.unwrap_or(end);
        checks.check(late.is_none(), at, record, || {
            let device = run.cast.name(part.device);
            format!("{device} still sends media {} after the end of its call", at.since(end.0))
        });
    }
    checks
}

/// The first media packet of a device in a call between two times: by its own word, or RTP on the wire.
fn sends_media(run: &Run, part: &Part, from: SimTime, until: SimTime) -> Option<(SimTime, u64)> {
    let device = run.cast.name(part.device);
    let next_call = run.calls.parts.values().filter(|other| other.device == part.device && other.began.1 > part.began.1);
    let before = next_call.map(|next| next.began.1).min().unwrap_or(u64::MAX);
    let fits = |at: SimTime, index: u64| at >= from && at <= until && index < before;
    let said = run.events.rtp_sent.iter().find(|sent| sent.device == *device && fits(sent.at, sent.index));
    let seen = run.events.packets_sent.iter().find(|sent| {
        fits(sent.at, sent.index) && sent.from == *device && carries_rtp(sent.protocol, run.log.bytes(sent.bytes))
    });
    said.map(|sent| (sent.at, sent.index)).into_iter().chain(seen.map(|sent| (sent.at, sent.index))).min_by_key(|moment| moment.1)
}
