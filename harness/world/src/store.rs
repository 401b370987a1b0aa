//! The driver of a store: transactions become durable in order, each after the modelled latency of a write.

use kernel::{Micros, SimTime};

/// A synced write on a server's flash: a documented constant, not a measurement.
const WRITE: Micros = Micros(1_500);

/// When each transaction of one store becomes durable.
#[derive(Debug, Default)]
pub(crate) struct StoreDriver {
    busy_until: SimTime,
}

impl StoreDriver {
    /// The instant at which a transaction handed over now is durable: after all earlier ones.
    pub(crate) fn commit(&mut self, now: SimTime) -> SimTime {
        self.busy_until = self.busy_until.max(now) + WRITE;
        self.busy_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_become_durable_one_after_the_other() {
        let mut store = StoreDriver::default();
        assert_eq!(store.commit(SimTime(100)), SimTime(1_600));
        assert_eq!(store.commit(SimTime(100)), SimTime(3_100));
        assert_eq!(store.commit(SimTime(10_000)), SimTime(11_500));
    }
}
