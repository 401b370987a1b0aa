//! The seed tree, its streams, and the ambient randomness that foreign code draws through libc.
//!
//! Streams form a tree keyed by (seed, actor, purpose): one more draw in one place moves no other stream. Foreign
//! code draws inside a named scope (`random::scope("str0m")`); a draw outside any scope is a leak, and fails the run.

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng, TryCryptoRng, TryRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::{cell::RefCell, collections::BTreeMap, convert::Infallible};

/// A node of the seed tree.
#[derive(Clone, Copy)]
pub struct SeedTree([u8; 32]);

impl SeedTree {
    /// The root of a run.
    pub fn root(seed: u64) -> SeedTree {
        SeedTree(blake3::derive_key("callproof 2026 seed tree", &seed.to_le_bytes()))
    }

    /// The node below, named by an actor or a part.
    pub fn child(&self, label: &str) -> SeedTree {
        SeedTree(*blake3::keyed_hash(&self.0, label.as_bytes()).as_bytes())
    }

    /// The stream of one purpose at this node.
    pub fn stream(&self, purpose: &str) -> Stream {
        Stream(ChaCha12Rng::from_seed(self.child(purpose).0))
    }

    /// The noise of one purpose at this node.
    pub fn noise(&self, purpose: &str) -> Noise {
        Noise(Xoshiro256PlusPlus::from_seed(self.child(purpose).0))
    }
}

/// A seeded stream of random numbers (ChaCha with 12 rounds).
#[derive(Clone)]
pub struct Stream(ChaCha12Rng);

impl Stream {
    /// 64 uniform bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `0..bound`; 0 when `bound` is 0. The bias is below 2^-32 for bounds below 2^32.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// True with a probability of `ppm` millionths.
    pub fn chance_ppm(&mut self, ppm: u32) -> bool {
        self.below(1_000_000) < u64::from(ppm)
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// An array of random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

/// Seeded noise for what must be long and never the same, not secret (xoshiro256++, Blackman and Vigna 2018).
#[derive(Clone)]
pub struct Noise(Xoshiro256PlusPlus);

impl Noise {
    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

impl TryRng for Stream {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.next_u32())
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.next_u64())
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Stream {}

struct Ambient {
    tree: SeedTree,
    actor: String,
    /// Open scopes, innermost last; none is a wall, behind which no outer scope counts.
    scopes: Vec<Option<&'static str>>,
    streams: BTreeMap<(String, &'static str), Stream>,
    draws: u64,
    drawn: blake3::Hasher,
    strays: Vec<String>,
}

thread_local! { static AMBIENT: RefCell<Option<Ambient>> = const { RefCell::new(None) } }

/// At most this many stray draws are described; all are counted as failures by the first.
const MAX_STRAYS: usize = 8;

pub(crate) fn enter(tree: SeedTree) {
    AMBIENT.with_borrow_mut(|ambient| {
        *ambient = Some(Ambient {
            tree: tree.child("ambient"),
            actor: "world".into(),
            scopes: Vec::new(),
            streams: BTreeMap::new(),
            draws: 0,
            drawn: blake3::Hasher::new(),
            strays: Vec::new(),
        });
    });
}

/// What was drawn through libc (and by foreign code that we hand a generator) during a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draws {
    /// How many draws.
    pub count: u64,
    /// Digest of all the bytes drawn, in order.
    pub digest: [u8; 32],
    /// Draws outside any scope, described: each is a leak.
    pub strays: Vec<String>,
}

pub(crate) fn leave() -> Draws {
    AMBIENT.take().map_or_else(Draws::default, |ambient| Draws {
        count: ambient.draws,
        digest: *ambient.drawn.finalize().as_bytes(),
        strays: ambient.strays,
    })
}

/// Names the actor on whose behalf code runs from now on: its draws come from its own streams.
pub fn act_as(actor: &str) {
    AMBIENT.with_borrow_mut(|ambient| {
        if let Some(ambient) = ambient
            && ambient.actor != actor
        {
            actor.clone_into(&mut ambient.actor);
        }
    });
}

/// The actor on whose behalf code runs now; `world` between actors and outside a simulation.
pub fn actor() -> String {
    AMBIENT.with_borrow(|ambient| ambient.as_ref().map_or_else(|| "world".into(), |ambient| ambient.actor.clone()))
}

/// While this lives, draws of foreign code come from the stream (actor, scope).
#[must_use = "the scope ends when this is dropped"]
pub struct Scope(());

/// Opens a scope for code that may draw.
pub fn scope(name: &'static str) -> Scope {
    push(Some(name))
}

/// Hides the open scopes: whoever drives code under test from inside a scope of his own (turmoil's, say) puts a wall
/// around it, so that its draws need a scope of theirs.
pub fn wall() -> Scope {
    push(None)
}

fn push(scope: Option<&'static str>) -> Scope {
    AMBIENT.with_borrow_mut(|ambient| {
        if let Some(ambient) = ambient {
            ambient.scopes.push(scope);
        }
    });
    Scope(())
}

impl Drop for Scope {
    fn drop(&mut self) {
        // A thread that ends drops its locals in any order: nothing is left to pop then.
        let _ = AMBIENT.try_with(|ambient| {
            if let Some(ambient) = ambient.borrow_mut().as_mut() {
                ambient.scopes.pop();
            }
        });
    }
}

/// Fills `bytes` from the current actor's stream of the current scope: what libc's `getrandom` does under the seam,
/// and what our own seeded providers call.
///
/// Outside a simulation (a unit test, a tool) the bytes come from the system.
pub fn fill(bytes: &mut [u8]) {
    if !fill_from_scope(bytes) {
        crate::seam::system_random(bytes);
    }
}

/// Like [`fill`], but false and without effect outside a simulation.
pub(crate) fn fill_from_scope(bytes: &mut [u8]) -> bool {
    AMBIENT
        .try_with(|ambient| ambient.try_borrow_mut().ok()?.as_mut().map(|ambient| ambient.fill(bytes)))
        .is_ok_and(|f| f.is_some())
}

impl Ambient {
    fn fill(&mut self, bytes: &mut [u8]) {
        // The getrandom crate asks for nothing once a process, to see whether the call exists: only the first
        // simulation of a process would count it.
        if bytes.is_empty() {
            return;
        }
        let scope = self.scopes.last().copied().flatten().unwrap_or_else(|| {
            if self.strays.len() < MAX_STRAYS {
                let trace = std::backtrace::Backtrace::force_capture();
                self.strays.push(format!(
                    "{} bytes drawn by {} at {} outside any scope\n{trace}",
                    bytes.len(),
                    self.actor,
                    crate::time::now()
                ));
            }
            "stray"
        });
        let tree = &self.tree;
        let actor = &self.actor;
        self.streams.entry((actor.clone(), scope)).or_insert_with(|| tree.child(actor).stream(scope)).fill(bytes);
        self.draws += 1;
        self.drawn.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_draw_moves_no_other_stream() {
        let tree = SeedTree::root(7);
        let (mut a, mut b) = (tree.stream("a"), tree.stream("b"));
        let expected = b.clone().next_u64();
        a.next_u64();
        a.next_u64();
        assert_eq!(b.next_u64(), expected);
        assert_ne!(SeedTree::root(8).stream("b").next_u64(), expected);
    }

    #[test]
    fn asking_for_nothing_is_no_draw() {
        let draw = |lengths: &'static [usize]| {
            let thread = std::thread::Builder::new().spawn(move || {
                let simulation = crate::seam::enter(1);
                let _scope = scope("test");
                lengths.iter().for_each(|length| fill(&mut vec![0; *length]));
                simulation.leave().1
            });
            thread.unwrap().join().unwrap()
        };
        assert_eq!(draw(&[0, 8]), draw(&[8]));
        assert_ne!(draw(&[8, 8]), draw(&[8]));
    }

    #[test]
    fn behind_a_wall_an_outer_scope_does_not_count() {
        let thread = std::thread::Builder::new().spawn(|| {
            let simulation = crate::seam::enter(1);
            let _outer = scope("driver");
            {
                let _wall = wall();
                fill(&mut [0; 8]);
                let _inner = scope("actor");
                fill(&mut [0; 8]);
            }
            fill(&mut [0; 8]);
            simulation.leave().1
        });
        assert_eq!(thread.unwrap().join().unwrap().strays.len(), 1);
    }

    #[test]
    fn below_stays_below() {
        let mut stream = SeedTree::root(1).stream("below");
        assert!((0..1_000).all(|_| stream.below(7) < 7));
        assert_eq!(stream.below(0), 0);
    }
}
