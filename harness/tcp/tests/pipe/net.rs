//! Two hosts joined by a pipe with a rate, a delay, a queue, loss and jitter.

use kernel::{
    Datagram, Micros, SimTime,
    random::{SeedTree, Stream},
};
use std::{collections::BTreeMap, net::SocketAddr};
use tcp::{Congestion, Connection, Endpoint, Settings};

pub(crate) const SERVER: ([u8; 4], u16) = ([192, 0, 2, 1], 443);
pub(crate) const CLIENT: [u8; 4] = [198, 51, 100, 7];

#[derive(Clone, Copy)]
pub(crate) struct Pipe {
    pub(crate) bits_per_second: u64,
    pub(crate) delay: Micros,
    pub(crate) queue_bytes: u64,
    pub(crate) loss_ppm: u32,
    /// Each packet takes up to this much longer, so that packets overtake each other.
    pub(crate) jitter: Micros,
}

pub(crate) const CLEAN: Pipe = Pipe {
    bits_per_second: 2_000_000,
    delay: Micros::from_millis(25),
    queue_bytes: 37_500,
    loss_ppm: 0,
    jitter: Micros::ZERO,
};

/// What a host does besides TCP: reads, writes, counts.
pub(crate) struct Flow {
    pub(crate) client: Connection,
    pub(crate) server: Option<Connection>,
    pub(crate) to_send: Vec<u8>,
    pub(crate) sent: usize,
    pub(crate) received: Vec<u8>,
    pub(crate) done_at: Option<SimTime>,
}

pub(crate) struct Net {
    pub(crate) now: SimTime,
    pub(crate) client: Endpoint,
    pub(crate) server: Endpoint,
    pub(crate) flows: Vec<Flow>,
    pub(crate) drops: u64,
    /// Every packet's bytes in order of sending, for comparing runs.
    pub(crate) trace: Vec<Vec<u8>>,
    pub(crate) rewrite_source: Option<SocketAddr>,
    pipe: Pipe,
    luck: Stream,
    free: [SimTime; 2],
    flying: BTreeMap<(SimTime, u64), (bool, Datagram)>,
    sequence: u64,
}

impl Net {
    pub(crate) fn new(pipe: Pipe, seed: u64) -> Net {
        let seeds = SeedTree::root(seed);
        let mut server = Endpoint::new(SERVER.0.into(), seeds.stream("server"), SimTime::ZERO);
        server.listen(SERVER.1, Settings::bulk(Congestion::Cubic)).unwrap();
        Net {
            now: SimTime::ZERO,
            client: Endpoint::new(CLIENT.into(), seeds.stream("client"), SimTime::ZERO),
            server,
            flows: Vec::new(),
            drops: 0,
            trace: Vec::new(),
            rewrite_source: None,
            pipe,
            luck: seeds.stream("pipe"),
            free: [SimTime::ZERO; 2],
            flying: BTreeMap::new(),
            sequence: 0,
        }
    }

    pub(crate) fn upload(&mut self, bytes: Vec<u8>, congestion: Congestion) -> usize {
        let port = 40_000 + self.flows.len() as u16;
        let client = self.client.connect(port, SERVER.into(), Settings::bulk(congestion)).unwrap();
        self.flows.push(Flow { client, server: None, to_send: bytes, sent: 0, received: Vec::new(), done_at: None });
        self.flows.len() - 1
    }

    /// Runs until `limit`, or until nothing is left to happen.
    pub(crate) fn run_until(&mut self, limit: SimTime) {
        loop {
            self.drive();
            let wakes = [self.client.next_wake(self.now), self.server.next_wake(self.now)];
            let flight = self.flying.first_key_value().map(|((at, _), _)| *at);
            let next = wakes.into_iter().flatten().chain(flight).min();
            let Some(next) = next.filter(|at| *at <= limit) else { break };
            self.now = next.max(self.now);
            while let Some(entry) = self.flying.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let (to_server, datagram) = entry.remove();
                let end = if to_server { &mut self.server } else { &mut self.client };
                end.handle(&datagram, self.now);
                self.drive();
            }
        }
        self.now = limit;
    }

    fn drive(&mut self) {
        while let Some(connection) = self.server.accept() {
            let port = self.server.remote(connection).unwrap().port();
            let client = &self.client;
            let of = |flow: &&mut Flow| flow.server.is_none() && client.port(flow.client) == Some(port);
            let rewritten = self.rewrite_source.is_some();
            let flow = self.flows.iter_mut().find(|flow| rewritten || of(flow)).expect("a flow of this port");
            flow.server = Some(connection);
        }
        for flow in &mut self.flows {
            flow.sent += self.client.send(flow.client, &flow.to_send[flow.sent..]);
            if let Some(server) = flow.server {
                self.server.receive(server, &mut flow.received);
            }
            if flow.done_at.is_none() && flow.received.len() == flow.to_send.len() {
                flow.done_at = Some(self.now);
            }
        }
        while let Some(mut datagram) = self.client.poll_transmit(self.now) {
            if let Some(outer) = self.rewrite_source {
                datagram.source = outer;
            }
            self.fly(true, datagram);
        }
        while let Some(mut datagram) = self.server.poll_transmit(self.now) {
            if self.rewrite_source == Some(datagram.destination) {
                datagram.destination = (CLIENT, 40_000).into();
            }
            self.fly(false, datagram);
        }
    }

    fn fly(&mut self, to_server: bool, datagram: Datagram) {
        self.trace.push(datagram.bytes.clone());
        let free = &mut self.free[usize::from(to_server)];
        let waiting = free.0.saturating_sub(self.now.0) * self.pipe.bits_per_second / 8_000_000;
        let bytes = datagram.bytes.len() as u64 + 20;
        let is_lost = self.luck.chance_ppm(self.pipe.loss_ppm);
        let jitter = Micros(self.luck.below(self.pipe.jitter.0 + 1));
        if waiting + bytes > self.pipe.queue_bytes {
            self.drops += 1;
            return;
        }
        *free = (*free).max(self.now) + Micros(bytes * 8_000_000 / self.pipe.bits_per_second);
        if is_lost {
            self.drops += 1;
            return;
        }
        let arrives = *free + self.pipe.delay + jitter;
        self.flying.insert((arrives, self.sequence), (to_server, datagram));
        self.sequence += 1;
    }
}

/// Bytes that differ from place to place, so that a mixed-up order shows.
pub(crate) fn content(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    SeedTree::root(9).stream("content").fill(&mut bytes);
    bytes
}
