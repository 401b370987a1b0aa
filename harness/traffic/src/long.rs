//! A long TCP flow: a source that always has more to send.

use crate::end::{Part, Station};
use kernel::{Datagram, Micros, SimTime, plan::TrafficSide};
use tcp::{Congestion, Connection, Endpoint, Settings, State};

/// What is sent: nothing that anybody could take for a call's.
const NOTHING: [u8; 16 << 10] = [0; 16 << 10];
/// After a connection broke, the opener waits before the next one.
const PAUSE: Micros = Micros::from_secs(1);

pub(crate) struct LongTcp {
    station: Station,
    tcp: Endpoint,
    settings: Settings,
    connection: Option<Connection>,
    open_at: SimTime,
    /// Of connections that are over, and what this one has queued or got.
    past: u64,
    queued: u64,
    scratch: Vec<u8>,
}

impl LongTcp {
    pub(crate) fn new(station: Station, tcp: Endpoint, congestion: Congestion) -> LongTcp {
        LongTcp {
            station,
            tcp,
            settings: Settings::bulk(congestion),
            connection: None,
            open_at: SimTime::NEVER,
            past: 0,
            queued: 0,
            scratch: Vec::new(),
        }
    }

    fn open(&mut self) {
        let port = self.station.next_port();
        self.connection = self.tcp.connect(port, self.station.peer, self.settings).ok();
        self.open_at = SimTime::NEVER;
    }

    /// Moves what can be moved, and takes notice of a connection that is over.
    fn work(&mut self, now: SimTime) {
        if self.station.opens && now >= self.open_at {
            self.open();
        }
        while let Some(connection) = self.tcp.accept() {
            // The opener came again: the connection before is dead.
            if let Some(old) = self.connection.replace(connection) {
                self.forget(old);
            }
        }
        let Some(connection) = self.connection else { return };
        match self.station.side {
            TrafficSide::Source => {
                while self.tcp.room(connection) > 0 {
                    self.queued += self.tcp.send(connection, &NOTHING) as u64;
                }
            }
            TrafficSide::Sink => {
                self.scratch.clear();
                self.queued += self.tcp.receive(connection, &mut self.scratch) as u64;
            }
        }
        if self.tcp.state(connection) == State::Closed {
            self.connection = None;
            self.forget(connection);
            self.open_at = now + PAUSE;
        }
    }

    fn forget(&mut self, connection: Connection) {
        self.past += self.queued - self.tcp.unacknowledged(connection).min(self.queued as usize) as u64;
        self.queued = 0;
        self.tcp.abort(connection);
    }
}

impl Part for LongTcp {
    fn begin(&mut self, now: SimTime) {
        if self.station.opens {
            self.open_at = now;
        } else {
            self.tcp.listen(self.station.own.port(), self.settings).expect("a fresh endpoint has its ports free");
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
        let open = Some(self.open_at).filter(|at| self.station.opens && *at < SimTime::NEVER);
        self.tcp.next_wake(now).into_iter().chain(open).min()
    }

    fn moved(&mut self) -> u64 {
        let under_way = match (self.station.side, self.connection) {
            (TrafficSide::Source, Some(connection)) => self.tcp.unacknowledged(connection) as u64,
            _ => 0,
        };
        self.past + self.queued - under_way
    }

    fn stop(&mut self, _: SimTime) {
        (self.open_at, self.station.opens) = (SimTime::NEVER, false);
        if let Some(connection) = self.connection.take() {
            self.forget(connection);
        }
    }
}
