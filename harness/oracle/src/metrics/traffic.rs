//! Rates, loss, repair, relays, estimate and use of the link in one direction.

use super::{Sheet, capacity::Capacity};
use crate::run::{Run, Way};
use kernel::{Micros, SimTime, Track};
use std::collections::BTreeSet;

/// Packets this close to the end of the log may still have been on their way.
const IN_FLIGHT: Micros = Micros::from_secs(1);

pub(super) fn measure(run: &Run, way: Way, sheet: &mut Sheet) {
    let name = run.way_name(way);
    let traffic = Traffic::of(run, way);
    for (track, prefix) in [(Track::Video, "video"), (Track::Audio, "audio")] {
        let rate = |flow: &Flow| flow.rate();
        if let Some(sent) = rate(&traffic.sent[track as usize]) {
            sheet.of(&name, &format!("{prefix}_sent_bps"), sent);
        }
        if let Some(received) = rate(&traffic.received[track as usize]) {
            sheet.of(&name, &format!("{prefix}_received_bps"), received);
        }
    }
    let mut share = |quantity: &str, part: u64, of: u64| {
        if let Some(ppm) = (part * 1_000_000).checked_div(of) {
            sheet.of(&name, quantity, ppm);
        }
    };
    share("loss_ppm", traffic.lost, traffic.settled);
    share("retransmitted_ppm", traffic.repairs, traffic.packets);
    share("relayed_ppm", traffic.relayed, traffic.packets);
    let (lost, sealed) = frames_lost(run, way);
    share("loss_after_repair_ppm", lost, sealed);
    let mut total = traffic.sent[0];
    total.join(&traffic.sent[1]);
    if let Some(capacity) = capacity(run, way, &total).filter(|capacity| *capacity > 0) {
        share("utilization_ppm", total.bytes * 8, capacity);
    }
    let sender = run.cast.name(way.sender);
    let estimates = run.events.estimates.of(sender);
    let own = estimates.filter(|seen| run.way_of(way.sender, seen.index).is_none_or(|of| of == way));
    sheet.distribution(&name, "estimate_bps", own.map(|seen| (seen.at, seen.rate.0)).collect());
}

/// Bytes between two times.
#[derive(Clone, Copy, Default)]
struct Flow {
    bytes: u64,
    first: Option<SimTime>,
    last: SimTime,
}

impl Flow {
    fn add(&mut self, at: SimTime, bytes: u64) {
        self.bytes += bytes;
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        self.last = self.last.max(at);
    }

    fn join(&mut self, other: &Flow) {
        self.bytes += other.bytes;
        self.first = self.first.into_iter().chain(other.first).min();
        self.last = self.last.max(other.last);
    }

    /// Bits per second from the first to the last packet.
    fn rate(&self) -> Option<u64> {
        let span = self.last.since(self.first?).0;
        (u128::from(self.bytes) * 8_000_000).checked_div(u128::from(span)).and_then(|rate| u64::try_from(rate).ok())
    }
}

/// The RTP packets of a direction.
#[derive(Default)]
struct Traffic {
    /// Per track.
    sent: [Flow; 2],
    received: [Flow; 2],
    packets: u64,
    repairs: u64,
    relayed: u64,
    /// Packets that had time to arrive.
    settled: u64,
    lost: u64,
}

impl Traffic {
    fn of(run: &Run, way: Way) -> Traffic {
        let mut traffic = Traffic::default();
        let (sender, receiver) = (run.cast.name(way.sender), run.cast.name(way.receiver));
        for rtp in run.events.rtp_sent.of(sender) {
            if run.way_of(way.sender, rtp.index).is_some_and(|of| of != way) {
                continue;
            }
            let Some(packet) = run.packets.get(rtp.packet) else { continue };
            let Some(sent) = packet.sent else { continue };
            let bytes = u64::from(sent.bytes.len);
            traffic.packets += 1;
            traffic.repairs += u64::from(rtp.repair);
            traffic.relayed += u64::from(packet.carried_on_by.is_some() || run.is_relay(sent.destination.ip()));
            traffic.sent[rtp.track as usize].add(sent.at, bytes);
            let arrived = run.packets.arrival_at(rtp.packet, receiver);
            if let Some(arrived) = arrived {
                let copy = run.packets.last_copy(rtp.packet).and_then(|copy| copy.sent);
                let bytes = copy.map_or(bytes, |copy| u64::from(copy.bytes.len));
                traffic.received[rtp.track as usize].add(arrived.at, bytes);
            }
            if arrived.is_some() || sent.at + IN_FLIGHT < run.end {
                traffic.settled += 1;
                traffic.lost += u64::from(arrived.is_none());
            }
        }
        traffic
    }
}

/// Frames of which a packet was sent and which never came together while both sides were in the call, and all that had
/// time to. Frames sealed before there was a path are not lost but dropped.
fn frames_lost(run: &Run, way: Way) -> (u64, u64) {
    let sender = run.cast.name(way.sender);
    let rtp = run.events.rtp_sent.of(sender);
    let begun: BTreeSet<(Track, u32)> = rtp.map(|rtp| (rtp.track, rtp.frame)).collect();
    let received: BTreeSet<u64> = run
        .deliveries(way)
        .filter(|(_, delivery)| delivery.reassembled.is_some())
        .filter_map(|(sent, _)| sent.sealed.map(|sealed| sealed.index))
        .collect();
    let ends = run.calls.parts.values().filter(|part| part.device == way.sender || part.device == way.receiver);
    let ends: Vec<SimTime> =
        ends.flat_map(|part| part.hung_up.into_iter().chain(part.over())).map(|(at, _)| at).collect();
    let settled = |at: SimTime| {
        let next_end = ends.iter().filter(|end| **end >= at).min().copied().unwrap_or(run.end);
        at + IN_FLIGHT < next_end
    };
    let sent = run.frames.sent_by(way.sender);
    let sealed = sent.filter_map(|sent| sent.sealed).filter(|sealed| begun.contains(&(sealed.track, sealed.frame)));
    let own = sealed.filter(|seen| settled(seen.at) && run.way_of(way.sender, seen.index).is_none_or(|of| of == way));
    own.fold((0, 0), |(lost, all), seen| (lost + u64::from(!received.contains(&seen.index)), all + 1))
}

/// Bits that the narrowest link of the way could have carried of media during the flow: the sender's uplink, the core
/// links of both, and the receiver's downlink. `None` while all are unlimited, and for devices with several access networks.
fn capacity(run: &Run, way: Way, flow: &Flow) -> Option<u64> {
    let from = flow.first?;
    if [way.sender, way.receiver].iter().any(|end| !run.cast.participant(*end).interfaces.is_empty()) {
        // Which of its links a device used when is not followed here.
        return None;
    }
    let (sender, receiver) = (&run.cast.participant(way.sender).access, &run.cast.participant(way.receiver).access);
    let access = |device: usize, direction| format!("{}/{direction}", run.cast.name(device));
    let mut links = vec![
        Capacity::of(run, access(way.sender, "up"), &sender.up),
        Capacity::of(run, access(way.receiver, "down"), &receiver.down),
    ];
    for link in &run.plan.core_links {
        if sender.via.contains(&link.name) {
            links.push(Capacity::of(run, format!("{}/up", link.name), &link.up));
        }
        if receiver.via.contains(&link.name) {
            links.push(Capacity::of(run, format!("{}/down", link.name), &link.down));
        }
    }
    let mut times: Vec<SimTime> = links.iter().flat_map(Capacity::changes).collect();
    times.extend([from, flow.last]);
    if links.iter().any(Capacity::has_trace) {
        times.extend((from.0 / TRACE_STEP.0..=flow.last.0 / TRACE_STEP.0).map(|step| SimTime(step * TRACE_STEP.0)));
    }
    times.retain(|at| *at >= from && *at <= flow.last);
    times.sort_unstable();
    let mut microbits: u128 = 0;
    for span in times.windows(2) {
        microbits += links.iter().filter_map(|link| link.microbits(span[0], span[1])).min()?;
    }
    u64::try_from(microbits / 1_000_000).ok()
}

/// Where a link follows a trace, the narrowest is looked for in steps of this length.
const TRACE_STEP: Micros = Micros::from_millis(100);

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use kernel::{
        BitRate, LinkName,
        event::{self, DropReason, Event},
    };

    fn value(judgement: &crate::Judgement, name: &str) -> Option<i64> {
        judgement.metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value)
    }

    /// Alice sends 101 packets of 170 bytes, one a 10 ms, of which every tenth is lost.
    fn lossy() -> Story {
        let mut story = Story::new();
        story.live();
        for number in 0..101u32 {
            story.at(8_000 + 10 * u64::from(number));
            story.changed_frame("alice-phone", number, |way| {
                if number % 10 == 9 {
                    lose(way);
                }
            });
        }
        story.over(12_000);
        story
    }

    /// The packet is dropped, and whatever would follow does not happen.
    fn lose(way: &mut crate::story::Way) {
        let lost = way.iter().position(|(_, event)| matches!(event, Event::PacketArrived(_))).unwrap();
        let Event::PacketArrived(arrived) = &way[lost].1 else { return };
        let (packet, place, reason) = (arrived.packet, "alice-phone/up".into(), DropReason::QueueFull);
        way[lost].1 = Event::PacketDropped(event::PacketDropped { packet, place, reason, duplicate: false });
        way.truncate(lost + 1);
    }

    #[test]
    fn rates_and_losses_are_what_was_sent_and_arrived() {
        let judgement = lossy().judge();
        // 101 x 170 x 8 bits in 1 s.
        assert_eq!(value(&judgement, "alice-phone>bob-phone/video_sent_bps"), Some(137_360));
        assert_eq!(value(&judgement, "alice-phone>bob-phone/video_received_bps"), Some(91 * 170 * 8));
        assert_eq!(value(&judgement, "alice-phone>bob-phone/loss_ppm"), Some(10 * 1_000_000 / 101));
        assert_eq!(value(&judgement, "alice-phone>bob-phone/loss_after_repair_ppm"), Some(10 * 1_000_000 / 101));
        assert_eq!(value(&judgement, "relayed_ppm"), Some(0));
        assert_eq!(value(&judgement, "bob-phone>alice-phone/video_sent_bps"), None);
    }

    #[test]
    fn utilization_follows_the_narrower_link_as_it_changes() {
        let mut story = Story::new();
        story.live();
        let mut link = story.plan.participants[0].access.up.clone();
        link.rate = Some(BitRate(200_000));
        story.at(7_500).tell(Event::LinkChanged(event::LinkChanged {
            link: LinkName::from("alice-phone/up"),
            to: Box::new(link.clone()),
        }));
        for number in 0..=50u32 {
            story.at(8_000 + 10 * u64::from(number)).frame("alice-phone", number);
        }
        link.rate = Some(BitRate(100_000));
        // The packets leave 3,510 us after the frames were sensed; the rate halves in the middle of them.
        story.at(8_503);
        for number in 51..=100u32 {
            if number == 51 {
                let change = event::LinkChanged { link: LinkName::from("alice-phone/up"), to: Box::new(link.clone()) };
                story.tell(Event::LinkChanged(change));
            }
            story.at(8_000 + 10 * u64::from(number)).frame("alice-phone", number);
        }
        story.over(12_000);
        let judgement = story.judge();
        // 137,360 bits over 200,000 x 0.49949 s + 100,000 x 0.50051 s.
        assert_eq!(value(&judgement, "alice-phone>bob-phone/utilization_ppm"), Some(137_360 * 1_000_000 / 149_949));
    }

    #[test]
    fn the_estimate_is_the_senders() {
        let mut story = lossy();
        for kbps in [300, 500, 400] {
            let (device, rate) = ("alice-phone".into(), BitRate::from_kbps(kbps));
            story.tell(Event::BitrateEstimate(event::BitrateEstimate { device, rate }));
        }
        assert_eq!(value(&story.judge(), "alice-phone>bob-phone/estimate_bps_p50"), Some(400_000));
    }

    #[test]
    fn a_freeze_names_its_queue() {
        let mut story = Story::new();
        story.live();
        for number in 0..60u32 {
            story.at(8_000 + 33 * u64::from(number));
            story.changed_frame("alice-phone", number, |way| {
                if (20..40).contains(&number) {
                    lose(way);
                }
            });
        }
        story.over(12_000);
        let judgement = story.judge();
        let freezes: Vec<&str> =
            judgement.findings.iter().filter(|finding| finding.severity == 1).map(|f| f.sentence.as_str()).collect();
        // From frame 19 to frame 40, and from frame 59 to the hang-up.
        let tail = 12_000_000 - (8_000_000 + 59 * 33_000 + 17_920);
        assert_eq!(value(&judgement, "freeze_count"), Some(2));
        assert_eq!(value(&judgement, "freeze_total_us"), Some(21 * 33_000 + tail));
        let sentence =
            "alice's picture froze for 693 ms at bob's, at 8.6 s: queue overflow on alice-phone/up took 20 packets.";
        assert!(freezes.contains(&sentence), "{freezes:?}");
    }
}
