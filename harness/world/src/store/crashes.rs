//! Every crash that a store can suffer during a workload: after each operation on the disk, with each subset of what was
//! not yet synced lost, and with the last write torn.

use super::{
    database::Tables,
    disk::{Disk, Image, Operation},
    workload::{self, Mark, Recording},
};
use kernel::{
    SimTime,
    event::{Fact, Recovered},
};
use signaling::{Service, TxId};
use std::collections::VecDeque;

/// Up to so many unsynced operations each subset is tried; of more all, each alone, and all but each.
const MOST_FOR_EVERY_SUBSET: usize = 10;

/// What is on the disk after a crash, besides everything that was synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survivor {
    /// Some of the operations since the last sync, possibly none or all.
    Some,
    /// Some, and of the last one its first bytes only.
    Torn,
    /// Somebody put back what the disk held at an earlier acknowledgement.
    Snapshot,
}

/// A crash, and what the server found when it started again.
#[derive(Debug)]
pub struct CrashTrial<'s> {
    /// How many operations the disk was asked for before.
    pub operations: usize,
    /// What survived.
    pub survivor: Survivor,
    /// Facts that somebody was told of before, in order.
    pub acknowledged: &'s [Fact],
    /// The facts of each transaction that the store was working on, in order.
    pub under_way: &'s [Vec<Fact>],
    /// The friend graph and sessions afterwards, or why the store could not be read.
    pub recovered: Result<Recovered, String>,
}

/// How much a sweep went over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CrashSweep {
    /// Transactions of the workload.
    pub transactions: u64,
    /// Writes and changes of length that they asked for.
    pub writes: u64,
    /// Syncs.
    pub syncs: u64,
    /// Crashes tried, without those of [`Survivor::Snapshot`].
    pub crashes: u64,
    /// Old snapshots put back.
    pub snapshots: u64,
}

/// Records a workload of so many requests, and shows every crash that it can suffer to the visitor.
///
/// # Errors
/// When the workload itself cannot be recorded.
pub fn sweep_crashes(
    seed: u64,
    requests: usize,
    mut visit: impl FnMut(&CrashTrial),
) -> Result<CrashSweep, redb::Error> {
    let recording = workload::record(seed, requests)?;
    let syncs = recording.operations.iter().filter(|operation| **operation == Operation::Sync).count();
    let handed = recording.marks.iter().filter(|(_, mark)| matches!(mark, Mark::Handed(..)));
    let mut sweep = Sweep {
        seed,
        synced: recording.blank.clone(),
        pending: Vec::new(),
        history: History::default(),
        snapshots: Vec::new(),
        done: CrashSweep {
            transactions: handed.count() as u64,
            writes: (recording.operations.len() - syncs) as u64,
            syncs: syncs as u64,
            ..CrashSweep::default()
        },
    };
    sweep.run(&recording, &mut visit);
    Ok(sweep.done)
}

/// What the server did before an operation.
#[derive(Default)]
struct History {
    acknowledged: Vec<Fact>,
    handed: VecDeque<(TxId, Vec<Fact>)>,
    /// `handed` without those that were acknowledged.
    under_way: Vec<Vec<Fact>>,
}

impl History {
    fn note(&mut self, mark: &Mark) {
        match mark {
            Mark::Handed(tx, facts) => self.handed.push_back((*tx, facts.clone())),
            Mark::Acknowledged(tx) => {
                while let Some((_, facts)) = self.handed.pop_front_if(|(handed, _)| *handed <= *tx) {
                    self.acknowledged.extend(facts);
                }
            }
        }
        self.under_way = self.handed.iter().map(|(_, facts)| facts.clone()).collect();
    }
}

struct Sweep<'r> {
    seed: u64,
    synced: Image,
    /// Operations since the last sync.
    pending: Vec<&'r Operation>,
    history: History,
    /// What was on the disk at each acknowledgement.
    snapshots: Vec<Image>,
    done: CrashSweep,
}

impl<'r> Sweep<'r> {
    fn run(&mut self, recording: &'r Recording, visit: &mut impl FnMut(&CrashTrial)) {
        let mut marks = recording.marks.iter().peekable();
        for place in 0..=recording.operations.len() {
            while let Some((_, mark)) = marks.next_if(|(at, _)| *at <= place) {
                self.history.note(mark);
                if matches!(mark, Mark::Acknowledged(_)) {
                    self.snapshots.push(self.with(&self.pending));
                }
            }
            self.crash_at(place, visit);
            match recording.operations.get(place) {
                Some(Operation::Sync) => {
                    let pending = std::mem::take(&mut self.pending);
                    pending.iter().for_each(|operation| self.synced.apply(operation));
                }
                Some(operation) => self.pending.push(operation),
                None => {}
            }
        }
        for image in std::mem::take(&mut self.snapshots) {
            self.done.snapshots += 1;
            self.show(recording.operations.len(), Survivor::Snapshot, image, visit);
        }
    }

    /// Each subset with the last operation in it; those without it were the crashes before that operation.
    fn crash_at(&mut self, place: usize, visit: &mut impl FnMut(&CrashTrial)) {
        let Some((last, earlier)) = self.pending.split_last() else {
            return self.crash(place, Survivor::Some, self.synced.clone(), visit);
        };
        let (last, images) = (*last, self.survivals(earlier));
        for mut image in images {
            image.apply(last);
            self.crash(place, Survivor::Some, image, visit);
        }
        let whole = [self.synced.clone(), self.with(&self.pending[..self.pending.len() - 1])];
        for (image, cut) in whole.iter().flat_map(|image| cuts(last).map(move |cut| (image, cut))) {
            let mut image = image.clone();
            image.apply_torn(last, cut);
            self.crash(place, Survivor::Torn, image, visit);
        }
    }

    /// What may be there of the operations.
    fn survivals(&self, operations: &[&'r Operation]) -> Vec<Image> {
        let count = operations.len();
        let subsets: Vec<u64> = match count {
            0..=MOST_FOR_EVERY_SUBSET => (0..1 << count).collect(),
            _ => {
                let all = (1 << count.min(63)) - 1;
                let each = (0..count.min(63)).map(|one| 1 << one);
                [0, all].into_iter().chain(each.clone()).chain(each.map(|one| all & !one)).collect()
            }
        };
        let survive = |subset: u64| {
            let survives =
                |(place, operation): (usize, &&'r Operation)| (subset >> place & 1 == 1).then_some(*operation);
            operations.iter().enumerate().filter_map(survives).collect::<Vec<_>>()
        };
        subsets.into_iter().map(|subset| self.with(&survive(subset))).collect()
    }

    fn with(&self, operations: &[&Operation]) -> Image {
        let mut image = self.synced.clone();
        operations.iter().for_each(|operation| image.apply(operation));
        image
    }

    fn crash(&mut self, place: usize, survivor: Survivor, image: Image, visit: &mut impl FnMut(&CrashTrial)) {
        self.done.crashes += 1;
        self.show(place, survivor, image, visit);
    }

    fn show(&self, operations: usize, survivor: Survivor, image: Image, visit: &mut impl FnMut(&CrashTrial)) {
        visit(&CrashTrial {
            operations,
            survivor,
            acknowledged: &self.history.acknowledged,
            under_way: &self.history.under_way,
            recovered: self.recover(image),
        });
    }

    /// The server starts again.
    fn recover(&self, image: Image) -> Result<Recovered, String> {
        let tables = Tables::open(Disk::holding(image)).map_err(|error| error.to_string())?;
        let rows = tables.rows().map_err(|error| error.to_string())?;
        let service = Service::restore(&workload::config(self.seed), &rows, SimTime::ZERO);
        Ok(service.map_err(|error| error.to_string())?.held())
    }
}

/// After how many of its bytes a write tears: the first, the end of a sector, the middle, before the last.
fn cuts(operation: &Operation) -> impl Iterator<Item = usize> {
    let length = match operation {
        Operation::Write { bytes, .. } => bytes.len(),
        Operation::Length(_) | Operation::Sync => 0,
    };
    let cuts = [1, 64, 512, length / 2, length.saturating_sub(1)];
    cuts.into_iter()
        .enumerate()
        .filter_map(move |(place, cut)| (cut > 0 && cut < length && !cuts[..place].contains(&cut)).then_some(cut))
}
