//! The legs of a frame from sensor to screen, each as its owner measured it.

use super::{Delivery, Run};
use kernel::Track;

/// The legs in the order of the way.
pub(crate) const LEGS: [&str; 15] = [
    "capture",
    "encode",
    "encrypt",
    "pacer",
    "repair_wait",
    "relay",
    "uplink_queue",
    "serialization",
    "propagation",
    "downlink_queue",
    "reassembly",
    "decrypt",
    "buffer",
    "decode",
    "render_wait",
];

/// Microseconds per leg, in the order of [`LEGS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Legs(pub(crate) [u64; LEGS.len()]);

impl Legs {
    /// The legs of a rendered frame, and its glass to glass; `None` when an event on its way is missing, or when its
    /// number was decoded more than once, so that it is not clear which one was rendered.
    pub(crate) fn of(run: &Run, delivery: &Delivery) -> Option<(Legs, u64)> {
        let sent = &run.frames.sent[delivery.frame];
        let rendered = delivery.rendered.filter(|_| delivery.decodes == 1 && sent.track == Track::Video)?;
        let (captured, encoded, sealed) = (sent.captured?, sent.encoded?, sent.sealed?);
        let (reassembled, opened, decoded) = (delivery.reassembled?, delivery.opened?, delivery.decoded?);
        let chain = run.packets.chain_to(reassembled.completed_by?);
        let rtp = chain.first()?.rtp?;
        // Over a relay every hop has legs of its own: they add up.
        let mut hops = [0; 5];
        for packet in chain {
            let (sent, arrived) = (packet.sent?, packet.arrived?);
            let legs =
                [sent.relay, arrived.uplink_queue, arrived.serialization, arrived.propagation, arrived.downlink_queue];
            hops.iter_mut().zip(legs).for_each(|(sum, leg)| *sum += leg.0);
        }
        let [relay, uplink_queue, serialization, propagation, downlink_queue] = hops;
        let legs = [
            encoded.capture.0,
            encoded.encode.0,
            sealed.encrypt.0,
            rtp.pacer.0,
            rtp.repair_wait.0,
            relay,
            uplink_queue,
            serialization,
            propagation,
            downlink_queue,
            reassembled.reassembly.0,
            opened.decrypt.0,
            decoded.buffer.0,
            decoded.decode.0,
            rendered.render_wait.0,
        ];
        Some((Legs(legs), rendered.at.since(captured.sensed_at).0))
    }

    /// All legs together.
    pub(crate) fn sum(&self) -> u64 {
        self.0.iter().sum()
    }
}
