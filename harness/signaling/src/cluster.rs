//! The cores of a server over one store: which connection is whose, which transaction the store takes, and when the other
//! cores learn of it. With one core everything passes.

use crate::{
    config::ServerConfig,
    service::{BrokenRow, Change, Commit, RowId, Service, ServiceInput, ServiceOutput, TxId},
};
use kernel::{
    mutant,
    names::ActorName,
    plan::Cores,
    time::{Micros, SimTime},
};
use protocol::{ClientMessage, ConnectionId};
use std::collections::{BTreeMap, VecDeque};

/// The cores, with the order of their transactions.
///
/// The order is that in which transactions are handed to the store, which makes them durable in it. A transaction that
/// looked up or changed a row which another core's transaction changed meanwhile is not taken; its core does the work again
/// once it knows of that other one. So every transaction, also one that only reads, is as if they came one after the other.
pub(crate) struct Cluster {
    cores: Vec<Service>,
    /// How long a durable transaction takes to the other cores.
    delay: Micros,
    homes: BTreeMap<ConnectionId, usize>,
    next_home: usize,
    /// How many transactions the store took.
    place: u64,
    /// Which transaction changed a row last, and whose it was.
    last: BTreeMap<RowId, (u64, usize)>,
    /// Transactions that are not durable yet, in order.
    under_way: VecDeque<UnderWay>,
    /// What each core is still to learn, in order, and when.
    news: Vec<VecDeque<(SimTime, u64, Vec<Change>)>>,
    /// Cores whose transaction was not taken, and what must be durable before they try again.
    refused: Vec<(usize, TxId, u64)>,
    outputs: VecDeque<ServiceOutput>,
}

struct UnderWay {
    tx: TxId,
    core: usize,
    place: u64,
    changes: Vec<Change>,
}

impl Cluster {
    pub(crate) fn new(config: &ServerConfig) -> Cluster {
        let Cores { count, replica_delay } = config.cores;
        Cluster::of((0..count.max(1)).map(|core| Service::new(&config.core(core))).collect(), replica_delay)
    }

    /// Every core starts again with the rows of the durable store. Says what is there.
    ///
    /// # Errors
    /// When a row is none of the service's.
    pub(crate) fn restore(config: &ServerConfig, rows: &[Change], now: SimTime) -> Result<Cluster, BrokenRow> {
        let Cores { count, replica_delay } = config.cores;
        let cores: Result<Vec<Service>, _> =
            (0..count.max(1)).map(|core| Service::restore(&config.core(core), rows, now)).collect();
        let cluster = Cluster::of(cores?, replica_delay);
        kernel::event!(Recovered { ..cluster.cores[0].held() });
        Ok(cluster)
    }

    fn of(mut cores: Vec<Service>, delay: Micros) -> Cluster {
        let count = cores.len();
        for (number, core) in (0..).zip(&mut cores) {
            core.join(number, count as u8);
        }
        Cluster {
            cores,
            delay,
            homes: BTreeMap::new(),
            next_home: 0,
            place: 0,
            last: BTreeMap::new(),
            under_way: VecDeque::new(),
            news: vec![VecDeque::new(); count],
            refused: Vec::new(),
            outputs: VecDeque::new(),
        }
    }

    pub(crate) fn pass_before_accept(&mut self, passes: bool) {
        self.cores.iter_mut().for_each(|core| core.pass_before_accept(passes));
    }

    /// Takes an input; afterwards [`Cluster::poll`] until it has nothing.
    pub(crate) fn handle(&mut self, input: ServiceInput, now: SimTime) {
        match input {
            ServiceInput::Message(connection, message) => {
                let home = self.home(connection);
                self.cores[home].handle(ServiceInput::Message(connection, message), now);
            }
            ServiceInput::Heard(connection, address) => {
                let home = self.home(connection);
                self.cores[home].handle(ServiceInput::Heard(connection, address), now);
            }
            ServiceInput::Closed(connection) => {
                let home = self.homes.remove(&connection).unwrap_or(0);
                self.cores[home].handle(ServiceInput::Closed(connection), now);
            }
            ServiceInput::Committed(tx) => self.committed(tx, now),
            // What else there is, cores are told by the cluster only.
            ServiceInput::Timeout | ServiceInput::Conflict(_) | ServiceInput::Replicated(..) => {
                self.bring_news(now);
                self.cores.iter_mut().for_each(|core| core.handle(ServiceInput::Timeout, now));
            }
        }
        while self.collect(now) {}
    }

    pub(crate) fn poll(&mut self) -> Option<ServiceOutput> {
        self.outputs.pop_front()
    }

    pub(crate) fn next_wake(&self) -> Option<SimTime> {
        let news = self.news.iter().filter_map(|news| news.front().map(|(at, ..)| *at));
        self.cores.iter().filter_map(Service::next_wake).chain(news).min()
    }

    /// Everything that the cores hold, one after the other.
    pub(crate) fn snapshot(&self) -> Vec<u8> {
        self.cores.iter().flat_map(Service::snapshot).collect()
    }

    /// See [`Service::speaker`].
    pub(crate) fn speaker(&self, connection: ConnectionId, message: &ClientMessage) -> ActorName {
        self.cores[self.homes.get(&connection).copied().unwrap_or(0)].speaker(connection, message)
    }

    /// The core of a connection: the next in turn for a new one.
    fn home(&mut self, connection: ConnectionId) -> usize {
        let (next, count) = (&mut self.next_home, self.cores.len());
        *self.homes.entry(connection).or_insert_with(|| {
            let home = *next;
            *next = (home + 1) % count;
            home
        })
    }

    /// Takes what the cores want; whether there was anything.
    fn collect(&mut self, now: SimTime) -> bool {
        let mut any = false;
        for core in 0..self.cores.len() {
            while let Some(output) = self.cores[core].poll() {
                any = true;
                match output {
                    ServiceOutput::Commit(commit) if self.cores.len() > 1 => self.order(core, commit, now),
                    output => self.outputs.push_back(output),
                }
            }
        }
        any
    }

    /// Takes a transaction, or refuses it.
    fn order(&mut self, core: usize, commit: Commit, now: SimTime) {
        if let Some(place) = self.conflict(core, &commit) {
            self.refused.push((core, commit.tx, place));
            return self.try_again(now);
        }
        self.place += 1;
        for Change { table, key, .. } in &commit.changes {
            self.last.insert(RowId { table: *table, key: key.clone() }, (self.place, core));
        }
        // What every core has seen can surprise nobody.
        let known = self.cores.iter().map(Service::seen).min().unwrap_or_default();
        self.last.retain(|_, (place, _)| *place > known);
        let (tx, place, changes) = (commit.tx, self.place, commit.changes.clone());
        self.under_way.push_back(UnderWay { tx, core, place, changes });
        self.outputs.push_back(ServiceOutput::Commit(commit));
    }

    /// The last transaction of another core that changed what this one is made of, and that it did not know of.
    fn conflict(&self, core: usize, commit: &Commit) -> Option<u64> {
        if mutant!(V138) {
            return None;
        }
        let written = commit.changes.iter().map(|change| RowId { table: change.table, key: change.key.clone() });
        let rows = commit.reads.iter().cloned().chain(written);
        let changed = rows.filter_map(|row| self.last.get(&row));
        changed.filter(|(place, whose)| *whose != core && *place > commit.seen).map(|(place, _)| *place).max()
    }

    fn committed(&mut self, tx: TxId, now: SimTime) {
        let core = match self.under_way.pop_front_if(|first| first.tx == tx) {
            Some(UnderWay { core, place, changes, .. }) => {
                for (other, news) in self.news.iter_mut().enumerate() {
                    if other != core {
                        news.push_back((now + self.delay, place, changes.clone()));
                    }
                }
                core
            }
            None => 0,
        };
        self.cores[core].handle(ServiceInput::Committed(tx), now);
        self.try_again(now);
    }

    /// Cores whose transaction was not taken read what is durable by now, and do the work again.
    fn try_again(&mut self, now: SimTime) {
        let durable = self.under_way.front().map_or(self.place, |first| first.place - 1);
        let (ready, waiting) = std::mem::take(&mut self.refused).into_iter().partition(|(.., place)| *place <= durable);
        self.refused = waiting;
        let ready: Vec<(usize, TxId, u64)> = ready;
        for (core, tx, _) in ready {
            for (_, place, changes) in std::mem::take(&mut self.news[core]) {
                self.cores[core].handle(ServiceInput::Replicated(place, changes), now);
            }
            self.cores[core].handle(ServiceInput::Conflict(tx), now);
        }
    }

    fn bring_news(&mut self, now: SimTime) {
        for (core, news) in self.cores.iter_mut().zip(&mut self.news) {
            while let Some((_, place, changes)) = news.pop_front_if(|(at, ..)| *at <= now) {
                core.handle(ServiceInput::Replicated(place, changes), now);
            }
        }
    }
}

#[cfg(test)]
mod tests;
