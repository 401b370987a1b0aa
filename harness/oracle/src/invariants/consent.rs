//! CON: nothing before the user's own act, nothing after its end.

use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{Part, Run, Seen, carries_rtp},
};
use kernel::{
    Micros, SimTime, Track,
    event::{CallStateName, CaptureSwitched, WireProtocol},
};

/// How long packets that were on their way inside the device may still leave it after the end.
const AFTERGLOW: Micros = Micros::from_millis(500);

/// CON-1, CON-2.
pub(crate) fn nothing_before_accept(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    judge_rings(run, &mut checks);
    for switched in run.events.captures.iter().filter(|switched| switched.on) {
        let Some(device) = run.cast.device(&switched.device) else { continue };
        let consented = run
            .part_at(device, switched.call, switched.index)
            .is_some_and(|part| part.consented(switched.track, switched.index));
        checks.check(consented, switched.at, switched.index, || {
            format!(
                "{} switches {} on, but its user neither called nor accepted with it",
                switched.device, switched.track
            )
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

/// Each ring is a temptation to begin early, also one that nobody accepts.
fn judge_rings(run: &Run, checks: &mut Checks) {
    for part in run.calls.parts.values() {
        let Some(shown) = part.shown() else { continue };
        let device = run.cast.name(part.device);
        let early = run.events.captures.of(device).find(|switched| {
            let is_early = switched.on && !part.consented(switched.track, switched.index);
            is_early && switched.call == part.call && run.is_of(part, switched.index)
        });
        let (at, record) = early.map_or(shown, |switched| (switched.at, switched.index));
        checks.check(early.is_none(), at, record, || format!("{device} begins to capture for a call that only rings"));
    }
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
        let Some(shown) = part.shown() else { continue };
        let device = run.cast.name(part.device);
        // A device that captures takes the call as accepted. That is its one mistake, and nothing_before_accept judges it.
        let of_this_time = |seen: &Seen<CaptureSwitched>| seen.call == part.call && run.is_of(part, seen.index);
        let captures = run.events.captures.of(device).find(|switched| switched.on && of_this_time(switched));
        let begun = captures.map(|switched| switched.at).into_iter().chain(part.accepting().map(|(at, _)| at)).min();
        let accepting = begun.unwrap_or(SimTime::NEVER);
        let parsers = run.events.parsers.of(device);
        let parsers = parsers.filter(|seen| seen.call == part.call && run.is_of(part, seen.index));
        for entered in parsers {
            checks.check(entered.at >= accepting, entered.at, entered.index, || {
                format!("{device} enters its {} parser for a call that it has not accepted", entered.parser)
            });
        }
        // While it waits beside another call the device sends what is of that one.
        // And at the instant at which that one ends it gives its path back.
        let (since, from) = part.waited.map_or((SimTime::ZERO, shown.1), |(_, (at, index))| (at + Micros(1), index));
        let window = from..silent_until(run, part);
        let mut sent = run.events.packets_sent.of(device).filter(|sent| {
            // RTP is the business of nothing_before_accept.
            window.contains(&sent.index)
                && sent.at >= since
                && run.plan.signaling.addresses().all(|address| sent.destination.ip() != address)
                && !carries_rtp(sent.protocol, run.log.bytes(sent.bytes))
        });
        let first = sent.next();
        let (at, record) = first.map_or(shown, |sent| (sent.at, sent.index));
        checks.check(first.is_none(), at, record, || {
            let protocol = first.map_or(String::new(), |sent| format!("{:?} ", sent.protocol).to_lowercase());
            let count = 1 + sent.count();
            format!("{device} sends {count} {protocol}packets past signaling for a call that is not accepted")
        });
        let asked = run.events.names_asked.of(device).find(|asked| window.contains(&asked.index));
        let (at, record) = asked.map_or(shown, |asked| (asked.at, asked.index));
        checks.check(asked.is_none(), at, record, || {
            let name = asked.map_or("", |asked| asked.get().name.as_str());
            format!("{device} asks its resolver for {name} because of a call that is not accepted")
        });
        let mut candidates = run.events.candidates.of(device);
        let offered = candidates.find(|seen| window.contains(&seen.index) && seen.offered);
        let (at, record) = offered.map_or(shown, |seen| (seen.at, seen.index));
        checks.check(offered.is_none(), at, record, || {
            format!("{device} offers a candidate for a call that is not accepted")
        });
    }
    checks
}

/// The record up to which a ringing device is to be silent: the server's acceptance, or the device's next call.
fn silent_until(run: &Run, part: &Part) -> u64 {
    let call = run.calls.by_id.get(&part.call);
    let told = match part.asked {
        // A call that goes on elsewhere was accepted long ago: it is this device that has to be told so.
        Some(asked) => {
            let told = call.into_iter().flat_map(|call| &call.accepted);
            told.filter(|told| told.index > asked.1 && told.to == *run.cast.name(part.device))
                .map(|told| told.index)
                .min()
        }
        None => call.and_then(|call| call.accepted_from()),
    };
    let next = run.calls.parts.values().filter(|other| other.device == part.device && other.alone().1 > part.alone().1);
    told.into_iter().chain(next.map(|next| next.alone().1)).min().unwrap_or(u64::MAX)
}

/// CON-8.
pub(crate) fn media_stops_after_hangup(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    // A call that only waited beside another had no media of its own.
    for part in run.calls.parts.values().filter(|part| part.alone().1 != u64::MAX) {
        let Some(end) = part.hung_up.into_iter().chain(part.over()).min_by_key(|moment| moment.1) else { continue };
        let limit = end.0 + AFTERGLOW;
        let had_media =
            part.first(CallStateName::Live).is_some() || sends_media(run, part, part.alone().0, end.0).is_some();
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
    let next_call =
        run.calls.parts.values().filter(|other| other.device == part.device && other.alone().1 > part.alone().1);
    let before = next_call.map(|next| next.alone().1).min().unwrap_or(u64::MAX);
    let fits = |at: SimTime, index: u64| at >= from && at <= until && index < before;
    let said = run.events.rtp_sent.of(device).find(|sent| fits(sent.at, sent.index));
    let mut sent = run.events.packets_sent.of(device);
    let seen = sent.find(|sent| fits(sent.at, sent.index) && carries_rtp(sent.protocol, run.log.bytes(sent.bytes)));
    said.map(|sent| (sent.at, sent.index))
        .into_iter()
        .chain(seen.map(|sent| (sent.at, sent.index)))
        .min_by_key(|moment| moment.1)
}

#[cfg(test)]
mod tests {
    use crate::story::{CALL, Story, address_of, relay_address};
    use kernel::{
        Track,
        event::{self, Act, CallStateName, EndReason, Event, WireProtocol},
    };

    fn parser(story: &mut Story, device: &str) {
        let (device, parser) = (device.into(), "sdp".into());
        story.tell(Event::ParserEntered(event::ParserEntered { device, call: CALL, parser }));
    }

    #[test]
    fn a_call_with_consent_holds() {
        let mut story = Story::new();
        story.live().frame("alice-phone", 0).frame("bob-phone", 0).over(9_000);
        // One ring, four tracks, two captures, two packets by word and on the wire.
        assert_eq!(story.holds("nothing_before_accept"), 11);
    }

    #[test]
    fn capture_while_it_rings() {
        let mut story = Story::new();
        story.befriend().ringing().capture("bob-phone", Track::Video, true);
        let sentence = story.fails_only("nothing_before_accept");
        assert!(sentence.contains("bob-phone"), "{sentence}");
    }

    #[test]
    fn a_camera_that_was_not_asked_for() {
        let mut story = Story::new();
        story.befriend().ringing().at(7_000).act("bob-phone", Act::Accept { video: false });
        story.state("bob-phone", CallStateName::Incoming, CallStateName::Accepting);
        story.capture("bob-phone", Track::Audio, true);
        story.capture("bob-phone", Track::Video, true);
        story.fails_only("nothing_before_accept");
    }

    #[test]
    fn media_on_the_wire_without_an_act() {
        let mut story = Story::new();
        story.befriend();
        let path = (address_of("bob-phone"), address_of("alice-phone"));
        story.packet(("bob-phone", "alice-phone"), path, WireProtocol::Rtp, &[128; 40]);
        assert_eq!(
            story.fails_only("nothing_before_accept"),
            "media leaves bob-phone, whose user neither called nor accepted"
        );
    }

    #[test]
    fn an_accept_of_another_call_is_no_consent() {
        let mut story = Story::new();
        story.befriend().ringing().at(7_000).act("bob-phone", Act::Accept { video: true });
        let (device, call) = ("bob-phone".into(), kernel::CallId([9; 16]));
        story.tell(Event::CaptureSwitched(event::CaptureSwitched { device, call, track: Track::Audio, on: true }));
        story.fails_only("nothing_before_accept");
    }

    #[test]
    fn a_parser_before_and_after_the_accept() {
        let mut story = Story::new();
        story.live();
        parser(&mut story, "bob-phone");
        assert_eq!(story.holds("nothing_parsed_or_sent_before_accept"), 4);
        let mut story = Story::new();
        story.befriend().ringing();
        parser(&mut story, "bob-phone");
        let sentence = story.fails_only("nothing_parsed_or_sent_before_accept");
        assert_eq!(sentence, "bob-phone enters its sdp parser for a call that it has not accepted");
    }

    #[test]
    fn parsing_and_capturing_while_it_rings_is_one_mistake() {
        let mut story = Story::new();
        story.befriend().ringing().at(7_000);
        parser(&mut story, "bob-phone");
        story.capture("bob-phone", Track::Audio, true);
        story.fails_only("nothing_before_accept");
    }

    #[test]
    fn a_callers_parsers_are_free() {
        let mut story = Story::new();
        story.befriend().ringing();
        parser(&mut story, "alice-phone");
        story.holds("nothing_parsed_or_sent_before_accept");
    }

    #[test]
    fn a_ringing_device_talks_to_signaling_only() {
        let send = |destination: &str| {
            let mut story = Story::new();
            story.befriend().ringing();
            let path = (address_of("bob-phone"), destination.parse().unwrap());
            story.packet(("bob-phone", "relay"), path, WireProtocol::Stun, &[0; 20]);
            story
        };
        assert_eq!(send("192.0.2.44:443").holds("nothing_parsed_or_sent_before_accept"), 3);
        let sentence = send(&relay_address().to_string()).fails_only("nothing_parsed_or_sent_before_accept");
        assert_eq!(sentence, "bob-phone sends 1 stun packets past signaling for a call that is not accepted");
    }

    #[test]
    fn after_the_servers_accept_packets_are_free() {
        let mut story = Story::new();
        story.live();
        let path = (address_of("bob-phone"), relay_address());
        story.packet(("bob-phone", "relay"), path, WireProtocol::Stun, &[0; 20]);
        assert_eq!(story.holds("nothing_parsed_or_sent_before_accept"), 3);
    }

    #[test]
    fn media_ends_with_the_call() {
        let mut story = Story::new();
        story.live().frame("alice-phone", 0).over(9_000);
        assert_eq!(story.holds("media_stops_after_hangup"), 2);
    }

    #[test]
    fn packets_in_the_afterglow_are_allowed_and_later_ones_not() {
        let late = |ms: u64| {
            let mut story = Story::new();
            story.live().at(9_000).act("alice-phone", Act::HangUp);
            story.ended("alice-phone", EndReason::HungUp).at(9_040).ended("bob-phone", EndReason::PeerHungUp);
            story.at(9_000 + ms).media_packet("alice-phone", "bob-phone");
            story.at(12_000).signal("signaling", "bob-phone", "call_row", b"");
            story
        };
        assert_eq!(late(500).holds("media_stops_after_hangup"), 2);
        let sentence = late(501).fails_only("media_stops_after_hangup");
        assert_eq!(sentence, "alice-phone still sends media 501.000 ms after the end of its call");
    }

    #[test]
    fn a_cancel_that_crosses_the_accept_ends_nothing() {
        let mut story = Story::new();
        story.live().at(8_000).act("alice-phone", Act::Cancel).at(10_000).frame("alice-phone", 0).over(12_000);
        story.holds("media_stops_after_hangup");
    }

    #[test]
    fn a_call_that_only_rang_has_no_media_to_stop() {
        let mut story = Story::new();
        story.befriend().ringing().at(7_000).act("bob-phone", Act::Decline);
        story.ended("bob-phone", EndReason::Declined).ended("alice-phone", EndReason::Declined);
        story.at(9_000).signal("signaling", "bob-phone", "call_row", b"");
        assert_eq!(story.holds("media_stops_after_hangup"), 0);
    }
}
