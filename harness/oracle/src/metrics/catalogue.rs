//! The catalogue of metrics.

use crate::judgement::Direction::{self, Higher, Lower, Neutral};
use Across::{Once, Total, Worst};

/// How the plain name follows from the directions of the call's media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Across {
    /// The worst of all directions; of a neutral metric the greatest.
    Worst,
    /// Their sum.
    Total,
    /// There are no directions: it is measured once a run, of several calls the worst.
    Once,
}

/// A measured quantity, with the statistics that are taken of it.
#[derive(Clone, Copy, Debug)]
pub struct MetricFamily {
    /// Name with its unit last.
    pub name: &'static str,
    /// Statistics behind the name, as `p95`; empty when the name stands alone. Percentiles are exact, by nearest rank.
    pub statistics: &'static [&'static str],
    /// Which way it improves.
    pub direction: Direction,
    /// How the plain name is made.
    pub across: Across,
    /// What is measured, in a sentence.
    pub doc: &'static str,
}

/// The names of all metrics: each family with each of its statistics. A threshold may put a direction in front:
/// `alice-phone>bob-phone/glass_to_glass_us_p95`.
pub fn metric_names() -> impl Iterator<Item = String> {
    METRICS.iter().flat_map(|family| {
        let plain = family.statistics.is_empty().then(|| family.name.to_owned());
        plain.into_iter().chain(family.statistics.iter().map(|statistic| format!("{}_{statistic}", family.name)))
    })
}

const ALONE: &[&str] = &[];
const LATENCY: &[&str] = &["p50", "p95", "p99", "max"];
const LEG: &[&str] = &["p50", "p95", "max"];
const LONGEST: &[&str] = &["max"];
const LOW: &[&str] = &["p5", "p50"];

const fn family(
    name: &'static str,
    statistics: &'static [&'static str],
    direction: Direction,
    across: Across,
    doc: &'static str,
) -> MetricFamily {
    MetricFamily { name, statistics, direction, across, doc }
}

/// Every metric, in the order of the reports.
pub const METRICS: &[MetricFamily] = &[
    family(
        "setup_us",
        ALONE,
        Lower,
        Once,
        "From the call act until both users have the other's first picture (first sound in a voice call), without the \
         time that the callee took to answer.",
    ),
    family(
        "accept_to_media_us",
        ALONE,
        Lower,
        Once,
        "From the accept act until both users have the other's first picture or sound.",
    ),
    family("setup_ring_us", ALONE, Lower, Once, "From the call act until the callee's device rings."),
    family(
        "setup_accept_us",
        ALONE,
        Neutral,
        Once,
        "From the call act until the callee accepts: holds the callee's reaction time.",
    ),
    family("setup_ice_us", ALONE, Lower, Once, "From the call act until ICE is connected at both ends."),
    family("setup_dtls_us", ALONE, Lower, Once, "From the call act until DTLS is connected at both ends."),
    family("setup_live_us", ALONE, Lower, Once, "From the call act until both devices show the live call."),
    family(
        "setup_first_key_us",
        ALONE,
        Lower,
        Once,
        "From the call act until both ends have sealed their first frame.",
    ),
    family(
        "setup_first_audio_us",
        ALONE,
        Lower,
        Once,
        "From the call act until both ends play the other's first sound.",
    ),
    family(
        "setup_first_video_us",
        ALONE,
        Lower,
        Once,
        "From the call act until both ends show the other's first picture.",
    ),
    family("followers_shown", ALONE, Neutral, Once, "How often a device shows that somebody follows its user."),
    family("reconnects", ALONE, Lower, Once, "How often a device took the path of a live call for broken."),
    family(
        "reconnect_us",
        ALONE,
        Lower,
        Once,
        "From the last frame of the peer before a device took the path for broken to the first one after: the longest \
         such gap, the one at the end of a call that failed included.",
    ),
    family(
        "handover_us",
        ALONE,
        Lower,
        Once,
        "From the last frame of a peer's device that leaves the call to another one of its user to that one's first: the \
         longest such gap.",
    ),
    family(
        "glass_to_glass_us",
        LATENCY,
        Lower,
        Worst,
        "From light on the sensor to the picture on the peer's screen, per rendered frame.",
    ),
    family("leg_capture_us", LEG, Lower, Worst, "Leg of glass to glass: sensor to encoder."),
    family("leg_encode_us", LEG, Lower, Worst, "Leg of glass to glass: inside the encoder."),
    family("leg_encrypt_us", LEG, Lower, Worst, "Leg of glass to glass: inside the frame encryption."),
    family("leg_pacer_us", LEG, Lower, Worst, "Leg of glass to glass: waiting in the sender's pacer."),
    family(
        "leg_repair_wait_us",
        LEG,
        Lower,
        Worst,
        "Leg of glass to glass: from the first sending to the retransmission that arrived.",
    ),
    family("leg_relay_us", LEG, Lower, Worst, "Leg of glass to glass: held by relays."),
    family(
        "leg_uplink_queue_us",
        LEG,
        Lower,
        Worst,
        "Leg of glass to glass: in the queue of the first link of each hop.",
    ),
    family("leg_serialization_us", LEG, Lower, Worst, "Leg of glass to glass: being clocked out, on all links."),
    family("leg_propagation_us", LEG, Lower, Worst, "Leg of glass to glass: propagation and jitter, on all links."),
    family("leg_downlink_queue_us", LEG, Lower, Worst, "Leg of glass to glass: in the queues of later links."),
    family(
        "leg_reassembly_us",
        LEG,
        Lower,
        Worst,
        "Leg of glass to glass: from the completing packet until RTP hands the frame over.",
    ),
    family("leg_decrypt_us", LEG, Lower, Worst, "Leg of glass to glass: inside frame decryption."),
    family(
        "leg_buffer_us",
        LEG,
        Lower,
        Worst,
        "Leg of glass to glass: in the jitter buffer and waiting for the decoder.",
    ),
    family("leg_decode_us", LEG, Lower, Worst, "Leg of glass to glass: inside the decoder."),
    family(
        "leg_render_wait_us",
        LEG,
        Lower,
        Worst,
        "Leg of glass to glass: from the decoded picture to the screen's refresh.",
    ),
    family(
        "mouth_to_ear_us",
        LATENCY,
        Lower,
        Worst,
        "From sound at the microphone to the peer's speaker, per block of 20 ms that was not concealed.",
    ),
    family(
        "freeze_count",
        ALONE,
        Lower,
        Worst,
        "Freezes (W3C webrtc-stats): a picture stays for max(3 x mean of the last 30, mean + 150 ms) or longer.",
    ),
    family("freeze_total_us", ALONE, Lower, Worst, "All freezes together."),
    family("freeze_longest_us", ALONE, Lower, Worst, "The longest freeze."),
    family("pause_count", ALONE, Lower, Worst, "Pictures that stay for more than 5 s (W3C webrtc-stats)."),
    family(
        "harmonic_fps_milli",
        ALONE,
        Higher,
        Worst,
        "Harmonic frame rate in thousandths: sum of frame durations over the sum of their squares.",
    ),
    family(
        "off_known_us",
        LONGEST,
        Lower,
        Worst,
        "From the act that switches camera or microphone off until the peer's device knows it.",
    ),
    family(
        "resume_us",
        LONGEST,
        Lower,
        Worst,
        "From the act that switches camera or microphone on again until the peer sees the next picture, or hears the next \
         sound.",
    ),
    family(
        "psnr_y_mdb",
        LOW,
        Higher,
        Worst,
        "PSNR of luma of rendered against captured pictures, outside the mark, in thousandths of a decibel.",
    ),
    family(
        "ssim_y_ppm",
        LOW,
        Higher,
        Worst,
        "SSIM of luma of rendered against captured pictures, outside the mark, in millionths.",
    ),
    family(
        "video_sent_bps",
        ALONE,
        Higher,
        Worst,
        "Video that the sender's socket sent: UDP payload with retransmissions, from its first to its last packet.",
    ),
    family("video_received_bps", ALONE, Higher, Worst, "Video that reached the receiver's socket: UDP payload."),
    family("audio_sent_bps", ALONE, Neutral, Worst, "Sound that the sender's socket sent: UDP payload."),
    family("audio_received_bps", ALONE, Neutral, Worst, "Sound that reached the receiver's socket: UDP payload."),
    family(
        "loss_ppm",
        ALONE,
        Lower,
        Worst,
        "RTP packets that were sent and did not arrive, retransmissions included, in millionths.",
    ),
    family(
        "loss_after_repair_ppm",
        ALONE,
        Lower,
        Worst,
        "Frames that were sent and never came together at the receiver, in millionths of all.",
    ),
    family(
        "retransmitted_ppm",
        ALONE,
        Lower,
        Worst,
        "RTP packets that are retransmissions, for repair or to probe the path's rate, in millionths.",
    ),
    family("relayed_ppm", ALONE, Neutral, Worst, "RTP packets that went over a relay, in millionths."),
    family(
        "path_kind",
        ALONE,
        Neutral,
        Worst,
        "The kind of path at the end of an accepted call: 1 host, 2 server-reflexive, 3 peer-reflexive, 4 relayed, 0 none.",
    ),
    family("estimate_bps", &["p50"], Higher, Worst, "The sender's estimate of the path's rate, one value per change."),
    family(
        "utilization_ppm",
        ALONE,
        Neutral,
        Worst,
        "Media sent over the capacity of the narrower of both access links in the same time, in millionths.",
    ),
    family(
        "concealed_ppm",
        ALONE,
        Lower,
        Worst,
        "Samples that the receiver had to conceal, in millionths of all played.",
    ),
    family(
        "stretched_ppm",
        ALONE,
        Lower,
        Worst,
        "Samples taken out or put in by time stretching, in millionths of all played.",
    ),
    family(
        "audio_buffer_us",
        &["p50", "p95"],
        Lower,
        Worst,
        "Level of the receiver's audio jitter buffer after each block.",
    ),
    family("key_frame_requests", ALONE, Lower, Total, "Key frames that the receiver asked for."),
    family("video_frames_captured", ALONE, Neutral, Total, "Pictures that the camera gave."),
    family("video_frames_encoded", ALONE, Neutral, Total, "Pictures that the encoder made frames of."),
    family(
        "video_frames_dropped",
        ALONE,
        Lower,
        Total,
        "Pictures and frames that sender or receiver dropped, with a reason.",
    ),
    family(
        "video_frames_unaccounted",
        ALONE,
        Lower,
        Total,
        "Pictures that were neither encoded nor dropped with a reason, but for the last second's.",
    ),
    family("video_frames_sealed", ALONE, Neutral, Total, "Frames that were encrypted."),
    family("video_frames_received", ALONE, Neutral, Total, "Frames that came together at the receiver."),
    family("video_frames_decoded", ALONE, Neutral, Total, "Frames that a decoder was given."),
    family("video_frames_rendered", ALONE, Neutral, Total, "Pictures that reached the screen."),
    family("audio_frames_captured", ALONE, Neutral, Total, "Blocks of 20 ms that the microphone gave."),
    family("audio_frames_sealed", ALONE, Neutral, Total, "Blocks that were encrypted."),
    family("audio_frames_received", ALONE, Neutral, Total, "Blocks that came together at the receiver."),
    family("audio_frames_played", ALONE, Neutral, Total, "Blocks that reached the speaker."),
    family(
        "frames_refused",
        ALONE,
        Neutral,
        Total,
        "Frames that frame decryption refused: forged, replayed, or without a key.",
    ),
    family(
        "frames_unmatched",
        ALONE,
        Lower,
        Once,
        "Receiving events that fit no sent frame: gaps of the oracle's own view.",
    ),
    family(
        "frames_without_legs",
        ALONE,
        Lower,
        Once,
        "Rendered frames with an event missing on their way, so that their legs are not known.",
    ),
    family("frames_searched", ALONE, Neutral, Once, "Encoded frames whose windows were searched for in all views."),
    family("frames_not_searched", ALONE, Neutral, Once, "Encoded frames too short to be searched for."),
    family("frames_found_on_wire", ALONE, Lower, Once, "Encoded frames that were found readable on the wire."),
    family("frames_found_at_hop", ALONE, Lower, Once, "Encoded frames that were found readable above SRTP."),
    family("bytes_searched", ALONE, Neutral, Once, "Bytes of all views that were searched."),
    family("trial_windows", ALONE, Neutral, Once, "Windows of what servers saw that were tried as keys."),
    family(
        "goodput_bps",
        ALONE,
        Neutral,
        Total,
        "Payload that a flow of cross traffic delivered, over the time from its start to its end; per flow as \
         `traffic/upload/goodput_bps`.",
    ),
    family("goodput_1s_bps", LOW, Neutral, Worst, "The same in each whole second of the flow."),
    family("undelivered_ppm", ALONE, Neutral, Worst, "Payload of a UDP flow that was sent and did not arrive."),
    family("transfers", ALONE, Neutral, Total, "Transfers of short TCP flows that were completed."),
    family("transfer_us", LEG, Neutral, Worst, "How long such a transfer took, its handshake included."),
    family(
        "queue_delay_us",
        LEG,
        Lower,
        Worst,
        "How long an RTP packet of a direction with video waited in the queues of all links, of those that arrived.",
    ),
    family(
        "link_utilization_ppm",
        ALONE,
        Higher,
        Worst,
        "Media that calls sent over a direction of a core link, of what it could carry from their first to their last \
         packet (RFC 8868) and UDP cross traffic left of it; per link as `bottleneck/up/link_utilization_ppm`.",
    ),
    family(
        "link_carried_ppm",
        ALONE,
        Neutral,
        Worst,
        "All that left a core link's queue in the same time, cross traffic and feedback included, of what it could carry.",
    ),
    family(
        "convergence_us",
        LEG,
        Lower,
        Worst,
        "After each change of what a core link can carry and UDP cross traffic leaves of it, the first included, and each \
         pause of a call's media: until the media over it stays for 2 s at 70 to 110 % of that, or of all that the calls \
         may send; the whole span where it never does.",
    ),
    family(
        "oscillations",
        ALONE,
        Lower,
        Worst,
        "Turns of the media's rate over a core link by more than 25 % of what it can carry and UDP cross traffic leaves of \
         it, once converged.",
    ),
    family(
        "fairness_1s_ppm",
        LOW,
        Higher,
        Worst,
        "Rate of the slowest of a core link's flows as a share of the fastest one's, in each second in which all send; \
         RFC 8868 wants a third.",
    ),
    family("fairness_5s_ppm", LOW, Higher, Worst, "The same in windows of 5 s."),
    family("fairness_20s_ppm", LOW, Higher, Worst, "The same in windows of 20 s."),
    family(
        "clean_feedback_received_bps",
        ALONE,
        Neutral,
        Worst,
        "Video received in a second run of the plan in which the feedback of what participants send over core links waits \
         nowhere (RFC 8867 section 5.3).",
    ),
    family("clean_feedback_queue_delay_us", ALONE, Neutral, Worst, "`queue_delay_us_p95` in that run."),
    family("of_clean_feedback_ppm", ALONE, Higher, Worst, "Video received, of what is received in that run."),
    family(
        "priority_share_ppm",
        LOW,
        Higher,
        Worst,
        "Rate over priority of the worst served of a core link's flows as a share of the best served one's, in windows of 20 s \
         in which all send: 1,000,000 where each has what its priority says (RFC 8867 section 6.1).",
    ),
    family(
        "ecn_capable_ppm",
        ALONE,
        Higher,
        Worst,
        "RTP packets over a core link whose queue marks (ECN, RFC 3168) that were sent so that they can be marked.",
    ),
    family(
        "fair_share_us",
        LONGEST,
        Lower,
        Worst,
        "After a flow starts or resumes on a core link that others use: until none has less than a third of another's rate \
         over 1 s, for 2 s; the time until the next one starts, pauses or ends where that never is.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::LEGS;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique() {
        let names: Vec<String> = metric_names().collect();
        assert_eq!(names.len(), names.iter().collect::<BTreeSet<_>>().len());
        assert!(names.contains(&"glass_to_glass_us_p95".into()) && names.contains(&"setup_us".into()));
    }

    #[test]
    fn every_leg_has_a_metric() {
        for leg in LEGS {
            assert!(METRICS.iter().any(|family| family.name == format!("leg_{leg}_us")), "{leg}");
        }
    }
}
