//! The log's records sorted by kind in one pass, so that each checker reads only what it judges.

use kernel::{
    Log, PacketId, Plan, SimTime,
    event::{self, Event},
};
use std::{collections::BTreeSet, ops::Deref};

/// An event with its place in the log.
pub(crate) struct Seen<'a, T> {
    pub(crate) at: SimTime,
    pub(crate) index: u64,
    event: &'a T,
}

impl<T> Clone for Seen<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Seen<'_, T> {}

impl<'a, T> Seen<'a, T> {
    /// The event for as long as the log lives.
    pub(crate) fn get(&self) -> &'a T {
        self.event
    }
}

impl<T> Deref for Seen<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.event
    }
}

macro_rules! kinds {
    ($($field:ident: $kind:ident),* $(,)?) => {
        /// Every event that the oracle reads, by kind, in order.
        pub(crate) struct Events<'a> {
            $(pub(crate) $field: Vec<Seen<'a, event::$kind>>),*
        }

        impl<'a> Events<'a> {
            pub(crate) fn of(log: &'a Log) -> Events<'a> {
                let mut events = Events { $($field: Vec::new()),* };
                for record in &log.records {
                    match &record.event {
                        $(Event::$kind(event) => {
                            events.$field.push(Seen { at: record.at, index: record.index, event });
                        })*
                        _ => {}
                    }
                }
                events
            }
        }
    };
}

kinds! {
    user_acts: UserAct,
    screens: Ui,
    rings: Ring,
    call_states: CallState,
    ended: Ended,
    pending: Pending,
    parsers: ParserEntered,
    signals: Signal,
    facts: Store,
    captures: CaptureSwitched,
    peer_switches: PeerSwitched,
    captured: Captured,
    encoded: Encoded,
    dropped_frames: FrameDropped,
    sealed: Sealed,
    rtp_sent: RtpSent,
    reassembled: Reassembled,
    opened: Opened,
    decoded: Decoded,
    rendered: Rendered,
    played: AudioPlayed,
    qualities: PictureQuality,
    key_frame_requests: KeyFrameRequested,
    estimates: BitrateEstimate,
    packets_sent: PacketSent,
    packets_arrived: PacketArrived,
    packets_dropped: PacketDropped,
    links: LinkChanged,
    interfaces: InterfaceChanged,
    candidates: CandidateGathered,
    ice_states: IceState,
    pairs: PairSelected,
    unchecked: UncheckedDropped,
    dtls: DtlsConnected,
    keys_used: KeyUsed,
    secrets: Secret,
    snapshots: Snapshot,
    log_lines: LogLine,
    attacks: Attack,
    traffic_measured: TrafficMeasured,
    traffic_transferred: TrafficTransferred,
}

impl Events<'_> {
    /// Takes out the packets of cross traffic: no invariant of a call judges them, and there may be many.
    pub(crate) fn leave_out_traffic(&mut self, plan: &Plan) {
        if plan.traffic.is_empty() {
            return;
        }
        let theirs = self.packets_sent.iter().filter(|sent| plan.is_traffic(sent.source));
        let theirs: BTreeSet<PacketId> = theirs.map(|sent| sent.packet).collect();
        self.packets_sent.retain(|sent| !theirs.contains(&sent.packet));
        self.packets_arrived.retain(|arrived| !theirs.contains(&arrived.packet));
        self.packets_dropped.retain(|dropped| !theirs.contains(&dropped.packet));
    }
}
