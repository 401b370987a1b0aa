//! An end of a flow: from its start to its end, measured on the way.

use crate::{
    long::LongTcp,
    pattern::Pattern,
    short::{Shape, ShortTcp},
    udp::{UdpSink, UdpSource},
};
use kernel::{
    Datagram, Micros, SimTime, event,
    plan::{CongestionKind, TRAFFIC_PORTS, TrafficKind, TrafficPlan, TrafficSide},
    random::SeedTree,
};
use std::net::SocketAddr;
use tcp::{Congestion, Endpoint};

/// How often an end says what it moved: the sampling interval of RFC 8867 section 3.
pub const MEASURED_EVERY: Micros = Micros::from_millis(200);

/// What one kind of end does between its start and its end.
pub(crate) trait Part {
    fn begin(&mut self, now: SimTime);
    fn handle(&mut self, datagram: &Datagram, now: SimTime);
    /// The next packet; call until none.
    fn poll(&mut self, now: SimTime) -> Option<Datagram>;
    fn next_wake(&mut self, now: SimTime) -> Option<SimTime>;
    /// Payload bytes moved so far.
    fn moved(&mut self) -> u64;
    /// It is over: what is under way is given up.
    fn stop(&mut self, now: SimTime);
}

/// What both ends of a TCP flow know of it.
pub(crate) struct Station {
    pub(crate) flow: String,
    pub(crate) side: TrafficSide,
    pub(crate) opens: bool,
    pub(crate) own: SocketAddr,
    pub(crate) peer: SocketAddr,
    /// Connections that this end opened: each takes the next port of its own.
    pub(crate) opened: u16,
}

impl Station {
    pub(crate) fn next_port(&mut self) -> u16 {
        let port = self.own.port() + self.opened % TRAFFIC_PORTS;
        self.opened = self.opened.wrapping_add(1);
        port
    }
}

/// An end of a flow. Drive it like any actor; before its start and after its end it is silent.
pub struct End {
    flow: String,
    side: TrafficSide,
    part: Box<dyn Part>,
    start: SimTime,
    end: SimTime,
    phase: Phase,
    measure_at: SimTime,
    measured: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Before,
    During,
    After,
}

impl End {
    /// One side of a flow, whose times count from the beginning of the timeline. Streams are below `seeds`.
    pub fn new(plan: &TrafficPlan, side: TrafficSide, seeds: &SeedTree, timeline: SimTime, now: SimTime) -> End {
        let (own, peer) = match side {
            TrafficSide::Source => (plan.source.address, plan.sink.address),
            TrafficSide::Sink => (plan.sink.address, plan.source.address),
        };
        let opens = plan.opener == side;
        let station = Station { flow: plan.name.clone(), side, opens, own, peer, opened: 0 };
        let udp = |pattern: Pattern| -> Box<dyn Part> {
            match side {
                TrafficSide::Source => Box::new(UdpSource::new(pattern, own, opens.then_some(peer))),
                TrafficSide::Sink => Box::new(UdpSink::new(own, opens.then_some(peer))),
            }
        };
        let endpoint = || Endpoint::new(own.ip(), seeds.stream("tcp"), now);
        let part: Box<dyn Part> = match plan.kind {
            TrafficKind::Cbr { rate } => udp(Pattern::constant(rate)),
            TrafficKind::RandomWalk { least, most, step, every } => {
                udp(Pattern::walk(least, most, step, every, seeds.stream("walk")))
            }
            TrafficKind::Pulses { rate, on, off } => udp(Pattern::pulses(rate, on, off)),
            TrafficKind::LongTcp { congestion } => {
                Box::new(LongTcp::new(station, endpoint(), congestion_of(congestion)))
            }
            TrafficKind::ShortTcp { congestion, strands, start_on, smallest, largest, idle } => {
                let shape = Shape { strands, start_on, smallest, largest, idle };
                Box::new(ShortTcp::new(
                    station,
                    endpoint(),
                    congestion_of(congestion),
                    shape,
                    seeds.stream("transfers"),
                ))
            }
        };
        let start = timeline + plan.start;
        End {
            flow: plan.name.clone(),
            side,
            part,
            start,
            end: timeline + plan.end,
            phase: Phase::Before,
            measure_at: start + MEASURED_EVERY,
            measured: 0,
        }
    }

    /// Takes a packet in.
    pub fn handle(&mut self, datagram: &Datagram, now: SimTime) {
        self.advance(now);
        if self.phase == Phase::During {
            self.part.handle(datagram, now);
        }
    }

    /// The next packet to send at `now`; call until none.
    pub fn poll(&mut self, now: SimTime) -> Option<Datagram> {
        self.advance(now);
        match self.phase {
            Phase::Before => None,
            Phase::During | Phase::After => self.part.poll(now),
        }
    }

    /// When to poll again, however silent the network is.
    pub fn next_wake(&mut self, now: SimTime) -> Option<SimTime> {
        match self.phase {
            Phase::Before => Some(self.start),
            Phase::During => {
                let own = self.measure_at.min(self.end);
                Some(self.part.next_wake(now).map_or(own, |part| part.min(own)))
            }
            Phase::After => None,
        }
    }

    fn advance(&mut self, now: SimTime) {
        if self.phase == Phase::Before && now >= self.start {
            self.phase = Phase::During;
            self.part.begin(now);
        }
        if self.phase == Phase::During && now >= self.measure_at.min(self.end) {
            self.measure();
            self.measure_at += MEASURED_EVERY;
            if now >= self.end {
                self.phase = Phase::After;
                self.part.stop(now);
            }
        }
    }

    fn measure(&mut self) {
        let moved = self.part.moved();
        event!(TrafficMeasured { flow: self.flow.clone(), side: self.side, bytes: moved - self.measured });
        self.measured = moved;
    }
}

fn congestion_of(kind: CongestionKind) -> Congestion {
    match kind {
        CongestionKind::Cubic => Congestion::Cubic,
        CongestionKind::Reno => Congestion::Reno,
    }
}
