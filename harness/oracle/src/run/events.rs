//! The log's records sorted by kind in one pass, so that each checker reads only what it judges.

use kernel::{
    ActorName, Log, PacketId, Plan, SimTime,
    event::{self, Event},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Deref,
};

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

/// All events of a kind, in order, and where each actor's are among them: a checker that judges one device after the other
/// must not read everybody's events each time.
pub(crate) struct Kind<'a, T> {
    all: Vec<Seen<'a, T>>,
    actors: BTreeMap<&'a ActorName, usize>,
    by_actor: Vec<Vec<u32>>,
}

impl<T> Default for Kind<'_, T> {
    fn default() -> Self {
        Kind { all: Vec::new(), actors: BTreeMap::new(), by_actor: Vec::new() }
    }
}

impl<'a, T> Kind<'a, T> {
    /// The events of one actor, in order.
    pub(crate) fn of(&self, actor: &ActorName) -> impl DoubleEndedIterator<Item = &Seen<'a, T>> {
        let own = self.actors.get(actor).map(|actor| &self.by_actor[*actor]);
        own.into_iter().flatten().map(|at| &self.all[*at as usize])
    }

    fn index(&mut self, actor: impl Fn(&'a T) -> &'a ActorName) {
        // Whose event it is, is asked of the map only where it is another's than the one before.
        let mut last: Option<(&ActorName, usize)> = None;
        for (at, seen) in (0..).zip(&self.all) {
            let name = actor(seen.event);
            let number = match last {
                Some((before, number)) if before == name => number,
                _ => {
                    let next = self.actors.len();
                    *self.actors.entry(name).or_insert(next)
                }
            };
            self.by_actor.resize_with(self.actors.len(), Vec::new);
            self.by_actor[number].push(at);
            last = Some((name, number));
        }
    }
}

impl<'a, T> Deref for Kind<'a, T> {
    type Target = [Seen<'a, T>];
    fn deref(&self) -> &Self::Target {
        &self.all
    }
}

impl<'k, 'a, T> IntoIterator for &'k Kind<'a, T> {
    type Item = &'k Seen<'a, T>;
    type IntoIter = std::slice::Iter<'k, Seen<'a, T>>;
    fn into_iter(self) -> Self::IntoIter {
        self.all.iter()
    }
}

macro_rules! kinds {
    ($($field:ident: $kind:ident $(of $actor:ident)?),* $(,)?) => {
        /// Every event that the oracle reads, by kind, in order.
        pub(crate) struct Events<'a> {
            $(pub(crate) $field: Kind<'a, event::$kind>),*
        }

        impl<'a> Events<'a> {
            pub(crate) fn of(log: &'a Log, plan: &Plan) -> Events<'a> {
                let mut events = Events { $($field: Kind::default()),* };
                for record in &log.records {
                    match &record.event {
                        $(Event::$kind(event) => {
                            events.$field.all.push(Seen { at: record.at, index: record.index, event });
                        })*
                        _ => {}
                    }
                }
                events.leave_out_traffic(plan);
                $($(events.$field.index(|event| &event.$actor);)?)*
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
    rows: CallRow of device,
    messages: MessageRow of device,
    thread_requests: ThreadAsked,
    receipts: ReceiptShown,
    held_messages: MessageHeld of device,
    links_shown: LinkShown of device,
    fetched: Fetched of device,
    pictures: PictureSent,
    pictures_shown: PictureShown of device,
    announced: DeviceAnnounced of device,
    lists: DeviceListSeen of device,
    logged_out: LoggedOut of device,
    passwords: PasswordChosen,
    rollbacks: RollbackSeen of device,
    restored: StoreRestored,
    pending: Pending of device,
    described: Described of device,
    parsers: ParserEntered of device,
    pushes: PushAsked,
    names_asked: Dns of device,
    threads_shown: ThreadShown of device,
    signals: Signal of to,
    facts: Store,
    interrupted: StoreInterrupted,
    recovered: Recovered,
    captures: CaptureSwitched of device,
    peer_switches: PeerSwitched,
    captured: Captured,
    encoded: Encoded of device,
    dropped_frames: FrameDropped of device,
    sealed: Sealed of device,
    rtp_sent: RtpSent of device,
    reassembled: Reassembled of device,
    opened: Opened of device,
    decoded: Decoded,
    rendered: Rendered of device,
    played: AudioPlayed of device,
    qualities: PictureQuality of device,
    key_frame_requests: KeyFrameRequested of device,
    estimates: BitrateEstimate of device,
    packets_sent: PacketSent of from,
    packets_arrived: PacketArrived of to,
    packets_dropped: PacketDropped,
    links: LinkChanged,
    link_samples: LinkSampled,
    candidates: CandidateGathered of device,
    ice_states: IceState of device,
    pairs: PairSelected of device,
    dtls: DtlsConnected of device,
    interfaces: InterfaceChanged,
    unchecked: UncheckedDropped,
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
    fn leave_out_traffic(&mut self, plan: &Plan) {
        if plan.traffic.is_empty() {
            return;
        }
        let theirs = self.packets_sent.iter().filter(|sent| plan.is_traffic(sent.source));
        let theirs: BTreeSet<PacketId> = theirs.map(|sent| sent.packet).collect();
        self.packets_sent.all.retain(|sent| !theirs.contains(&sent.packet));
        self.packets_arrived.all.retain(|arrived| !theirs.contains(&arrived.packet));
        self.packets_dropped.all.retain(|dropped| !theirs.contains(&dropped.packet));
    }
}
