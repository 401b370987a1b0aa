//! Short TCP flows: transfers of a uniform size, each followed by an exponential idle time (RFC 8868).

use crate::{
    end::{Part, Station},
    exponential::exponential,
};
use kernel::{Datagram, Micros, SimTime, event, plan::TrafficSide, random::Stream};
use std::collections::BTreeMap;
use tcp::{Congestion, Connection, Endpoint, Settings, State};

/// What is sent: nothing that anybody could take for a call's.
const NOTHING: [u8; 16 << 10] = [0; 16 << 10];
/// An opener that receives asks by the size that it wants.
const REQUEST: usize = 8;

/// How transfers follow each other.
pub(crate) struct Shape {
    pub(crate) strands: u32,
    pub(crate) start_on: u32,
    pub(crate) smallest: u64,
    pub(crate) largest: u64,
    pub(crate) idle: Micros,
}

pub(crate) struct ShortTcp {
    station: Station,
    tcp: Endpoint,
    settings: Settings,
    shape: Shape,
    stream: Stream,
    /// When the next transfer of a strand that is idle begins, in no order.
    idle: Vec<SimTime>,
    transfers: BTreeMap<Connection, Transfer>,
    moved: u64,
    scratch: Vec<u8>,
}

struct Transfer {
    since: SimTime,
    /// Bytes in all; none while the request is not there, or for a sink that is not told.
    size: Option<u64>,
    /// Queued, or received.
    done: u64,
    request: Vec<u8>,
}

impl ShortTcp {
    pub(crate) fn new(
        station: Station,
        tcp: Endpoint,
        congestion: Congestion,
        shape: Shape,
        stream: Stream,
    ) -> ShortTcp {
        let settings = Settings { send_buffer: 64 << 10, receive_buffer: 64 << 10, ..Settings::bulk(congestion) };
        ShortTcp {
            station,
            tcp,
            settings,
            shape,
            stream,
            idle: Vec::new(),
            transfers: BTreeMap::new(),
            moved: 0,
            scratch: Vec::new(),
        }
    }

    fn rest(&mut self, now: SimTime) {
        let idle = exponential(self.shape.idle, &mut self.stream);
        self.idle.push(now + idle);
    }

    fn begin_due(&mut self, now: SimTime) {
        let due = self.idle.iter().filter(|at| **at <= now).count();
        self.idle.retain(|at| *at > now);
        for _ in 0..due {
            let span = self.shape.largest - self.shape.smallest;
            let size = self.shape.smallest + self.stream.below(span + 1);
            let port = self.station.next_port();
            match self.tcp.connect(port, self.station.peer, self.settings) {
                Ok(connection) => {
                    let request = match self.station.side {
                        TrafficSide::Source => Vec::new(),
                        TrafficSide::Sink => size.to_be_bytes().to_vec(),
                    };
                    self.transfers.insert(connection, Transfer { since: now, size: Some(size), done: 0, request });
                }
                Err(_) => self.rest(now),
            }
        }
    }

    fn work(&mut self, now: SimTime) {
        if self.station.opens {
            self.begin_due(now);
        }
        while let Some(connection) = self.tcp.accept() {
            self.transfers.insert(connection, Transfer { since: now, size: None, done: 0, request: Vec::new() });
        }
        let mut over = Vec::new();
        for (connection, transfer) in &mut self.transfers {
            let goes_on = match self.station.side {
                TrafficSide::Source => push(&mut self.tcp, *connection, transfer, &mut self.moved),
                TrafficSide::Sink => pull(&mut self.tcp, *connection, transfer, &mut self.moved, &mut self.scratch),
            };
            if !goes_on {
                over.push(*connection);
            }
        }
        for connection in over {
            self.finish(connection, now);
        }
    }

    fn finish(&mut self, connection: Connection, now: SimTime) {
        let Some(transfer) = self.transfers.remove(&connection) else { return };
        self.tcp.release(connection);
        if self.station.opens {
            if transfer.size == Some(transfer.done) {
                let (flow, took) = (self.station.flow.clone(), now.since(transfer.since));
                event!(TrafficTransferred { flow, bytes: transfer.done, took });
            }
            self.rest(now);
        }
    }
}

/// Sends more of a transfer; false when all is acknowledged, or nobody is there.
fn push(tcp: &mut Endpoint, connection: Connection, transfer: &mut Transfer, moved: &mut u64) -> bool {
    if transfer.size.is_none() {
        tcp.receive(connection, &mut transfer.request);
        transfer.size = transfer.request.first_chunk::<REQUEST>().map(|size| u64::from_be_bytes(*size));
    }
    let size = transfer.size.unwrap_or(0);
    while transfer.done < size && tcp.room(connection) > 0 {
        let rest = usize::try_from(size - transfer.done).map_or(NOTHING.len(), |rest| rest.min(NOTHING.len()));
        let queued = tcp.send(connection, &NOTHING[..rest]) as u64;
        transfer.done += queued;
        *moved += queued;
    }
    let delivered = transfer.size == Some(transfer.done) && tcp.unacknowledged(connection) == 0;
    !delivered && tcp.state(connection) != State::Closed
}

/// Takes more of a transfer; false when all is there, or nobody is.
fn pull(
    tcp: &mut Endpoint,
    connection: Connection,
    transfer: &mut Transfer,
    moved: &mut u64,
    scratch: &mut Vec<u8>,
) -> bool {
    if !transfer.request.is_empty() {
        let asked = tcp.send(connection, &transfer.request);
        transfer.request.drain(..asked);
    }
    scratch.clear();
    let received = tcp.receive(connection, scratch) as u64;
    transfer.done += received;
    *moved += received;
    transfer.size != Some(transfer.done) && !matches!(tcp.state(connection), State::PeerClosed | State::Closed)
}

impl Part for ShortTcp {
    fn begin(&mut self, now: SimTime) {
        if !self.station.opens {
            self.tcp.listen(self.station.own.port(), self.settings).expect("a fresh endpoint has its ports free");
            return;
        }
        for strand in 0..self.shape.strands {
            if strand < self.shape.start_on {
                self.idle.push(now);
            } else {
                self.rest(now);
            }
        }
    }

    fn handle(&mut self, datagram: &Datagram, now: SimTime) {
        self.tcp.handle(datagram, now);
        self.work(now);
    }

    fn poll(&mut self, now: SimTime) -> Option<Datagram> {
        self.work(now);
        self.tcp.poll_transmit(now)
    }

    fn next_wake(&mut self, now: SimTime) -> Option<SimTime> {
        self.tcp.next_wake(now).into_iter().chain(self.idle.iter().copied()).min()
    }

    fn moved(&mut self) -> u64 {
        self.moved
    }

    fn stop(&mut self, _: SimTime) {
        self.station.opens = false;
        self.idle.clear();
        for connection in std::mem::take(&mut self.transfers).into_keys() {
            self.tcp.abort(connection);
        }
    }
}
