//! One direction of an access link: rate, queue, loss, propagation, jitter.

use crate::{
    error::LinkProblem,
    jitter::{JitterProcess, reorders},
    loss::LossProcess,
    transmitter::{MAX_RATE, Transmitter},
};
use kernel::{
    LinkName, mutant,
    plan::{Jitter, LinkPlan, Loss},
    random::SeedTree,
    time::{BitRate, Micros, SimTime},
};

/// Bytes of IPv4 and UDP header that every packet takes on a link besides its payload.
pub const OVERHEAD_BYTES: u64 = 28;

/// Propagation and jitter beyond this are refused.
const MAX_DELAY: Micros = Micros::from_secs(3_600);

/// What V133 adds to each link without a word.
const UNREPORTED: Micros = Micros::from_millis(7);

/// One direction of a link. Loss strikes after the packet was clocked out, as on a radio: it has used its time.
pub(crate) struct Link {
    pub(crate) name: LinkName,
    pub(crate) plan: LinkPlan,
    transmitter: Transmitter,
    loss: LossProcess,
    jitter: JitterProcess,
    last_exit: SimTime,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It leaves the link.
    Passes(Passage),
    /// It is lost at this time.
    Lost(SimTime),
    /// There was no room for it.
    QueueFull,
}

/// A packet's way over a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passage {
    /// When it leaves the link: the time of entry and all three legs.
    pub(crate) exit: SimTime,
    /// Leg: in the queue.
    pub(crate) queue: Micros,
    /// Leg: being clocked out.
    pub(crate) serialization: Micros,
    /// Leg: propagation, jitter, and the wait behind an earlier packet that jitter held up.
    pub(crate) propagation: Micros,
}

impl Link {
    /// The streams are below `seeds` by the name of the link, so that no other link moves them.
    pub(crate) fn new(name: LinkName, plan: LinkPlan, seeds: &SeedTree) -> Link {
        let seeds = seeds.child(name.as_str());
        Link {
            name,
            plan,
            transmitter: Transmitter::default(),
            loss: LossProcess::new(seeds.stream("loss")),
            jitter: JitterProcess::new(seeds.stream("jitter")),
            last_exit: SimTime::ZERO,
        }
    }

    /// Decides the fate of a packet that enters at `now`. Later changes of the link do not touch it.
    pub(crate) fn enter(&mut self, now: SimTime, payload_bytes: usize) -> Fate {
        // Drawn for every packet that comes, so that a full queue does not shift the luck of the packets behind.
        let is_lost = self.loss.step(&self.plan.loss);
        let jitter = self.jitter.step(&self.plan.jitter);
        let bytes = payload_bytes as u64 + OVERHEAD_BYTES;
        let Some(clocked) = self.transmitter.take(now, bytes, self.plan.rate, self.plan.queue_bytes) else {
            return Fate::QueueFull;
        };
        let out = now + clocked.queue + clocked.serialization;
        if is_lost {
            return Fate::Lost(out);
        }
        let mut exit = out + self.plan.propagation + jitter;
        if !reorders(&self.plan.jitter) {
            exit = exit.max(self.last_exit);
        }
        self.last_exit = exit;
        let propagation = exit.since(out);
        if mutant!(V133) {
            exit += UNREPORTED;
        }
        Fate::Passes(Passage { exit, queue: clocked.queue, serialization: clocked.serialization, propagation })
    }

    /// Changes what is given; packets that entered keep their times.
    pub(crate) fn change(
        &mut self,
        rate: Option<BitRate>,
        propagation: Option<Micros>,
        loss: Option<Loss>,
    ) -> Result<(), LinkProblem> {
        let plan = LinkPlan {
            rate: rate.or(self.plan.rate),
            propagation: propagation.unwrap_or(self.plan.propagation),
            loss: loss.unwrap_or(self.plan.loss),
            ..self.plan.clone()
        };
        validate(&plan)?;
        if plan.rate != self.plan.rate {
            self.transmitter.change_rate();
        }
        self.plan = plan;
        Ok(())
    }
}

/// Checks the ranges of a link: a rate from 1 bit/s to 1 Tbit/s, delays up to an hour, probabilities up to one.
///
/// # Errors
/// Names the first parameter that is out of its range.
pub fn validate(plan: &LinkPlan) -> Result<(), LinkProblem> {
    match plan.rate {
        Some(BitRate(0)) => return Err(LinkProblem::RateZero),
        Some(rate) if rate > MAX_RATE => return Err(LinkProblem::RateTooHigh),
        _ => {}
    }
    let spread = match plan.jitter {
        Jitter::None => Micros::ZERO,
        Jitter::Uniform { max, .. } => max,
        Jitter::Normal { deviation, .. } => deviation,
    };
    if plan.propagation.max(spread) > MAX_DELAY {
        return Err(LinkProblem::DelayTooLong);
    }
    let probabilities = match plan.loss {
        Loss::None => [0; 4],
        Loss::Bernoulli { ppm } => [ppm, 0, 0, 0],
        Loss::GilbertElliott { p_ppm, r_ppm, good_loss_ppm, bad_loss_ppm } => {
            [p_ppm, r_ppm, good_loss_ppm, bad_loss_ppm]
        }
    };
    if probabilities.iter().any(|ppm| *ppm > 1_000_000) {
        return Err(LinkProblem::NoProbability);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{Mutant, mutant::plant};

    fn perfect() -> LinkPlan {
        LinkPlan { rate: None, queue_bytes: 0, propagation: Micros::ZERO, jitter: Jitter::None, loss: Loss::None }
    }

    fn link(plan: LinkPlan) -> Link {
        Link::new("a/up".into(), plan, &SeedTree::root(1))
    }

    fn passage(fate: Fate) -> Passage {
        match fate {
            Fate::Passes(passage) => passage,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_unlimited_link_without_propagation_adds_nothing() {
        let mut link = link(perfect());
        for now in [0, 0, 17, 17, 1_000_000] {
            let passage = passage(link.enter(SimTime(now), 65_507));
            assert_eq!(passage.exit, SimTime(now));
            assert_eq!((passage.queue, passage.serialization, passage.propagation), Default::default());
        }
    }

    #[test]
    fn the_headers_are_clocked_out_too() {
        let mut link = link(LinkPlan { rate: Some(BitRate::from_mbps(8)), ..perfect() });
        assert_eq!(passage(link.enter(SimTime(5), 972)).serialization, Micros(1_000));
        assert_eq!(passage(link.enter(SimTime(5_000), 0)).serialization, Micros(28));
    }

    #[test]
    fn a_lost_packet_has_used_its_time_on_the_wire() {
        let mut link = link(LinkPlan {
            rate: Some(BitRate::from_mbps(8)),
            queue_bytes: 10_000,
            loss: Loss::Bernoulli { ppm: 1_000_000 },
            ..perfect()
        });
        assert_eq!(link.enter(SimTime(0), 972), Fate::Lost(SimTime(1_000)));
        assert_eq!(link.enter(SimTime(0), 972), Fate::Lost(SimTime(2_000)));
        link.change(None, None, Some(Loss::None)).unwrap();
        assert_eq!(passage(link.enter(SimTime(0), 972)).queue, Micros(2_000));
    }

    #[test]
    fn a_shorter_propagation_does_not_reorder_what_is_under_way() {
        let mut link = link(LinkPlan { propagation: Micros(10_000), ..perfect() });
        assert_eq!(passage(link.enter(SimTime(0), 1)).exit, SimTime(10_000));
        link.change(None, Some(Micros(1_000)), None).unwrap();
        let second = passage(link.enter(SimTime(1), 1));
        assert_eq!((second.exit, second.propagation), (SimTime(10_000), Micros(9_999)));
        assert_eq!(passage(link.enter(SimTime(10_000), 1)).exit, SimTime(11_000));
    }

    #[test]
    fn jitter_reorders_only_where_it_may() {
        for (may_reorder, jitter) in [
            (false, Jitter::Uniform { max: Micros(5_000), reorders: false }),
            (true, Jitter::Uniform { max: Micros(5_000), reorders: true }),
            (false, Jitter::Normal { deviation: Micros(2_000), reorders: false }),
            (true, Jitter::Normal { deviation: Micros(2_000), reorders: true }),
        ] {
            let mut link = link(LinkPlan { jitter, ..perfect() });
            let exits: Vec<SimTime> = (0..200).map(|n| passage(link.enter(SimTime(n * 100), 1)).exit).collect();
            assert_eq!(!exits.is_sorted(), may_reorder, "{jitter:?}");
        }
    }

    #[test]
    fn a_full_queue_does_not_shift_the_luck_of_later_packets() {
        let jitter = Jitter::Uniform { max: Micros(1_000), reorders: true };
        let mut narrow = link(LinkPlan { rate: Some(BitRate::from_kbps(80)), jitter, ..perfect() });
        let mut wide = link(LinkPlan { jitter, ..perfect() });
        assert!(matches!(narrow.enter(SimTime(0), 972), Fate::Passes(_)));
        assert_eq!(narrow.enter(SimTime(1), 972), Fate::QueueFull);
        wide.enter(SimTime(0), 972);
        wide.enter(SimTime(1), 972);
        let later = SimTime(1_000_000);
        let propagations = [&mut narrow, &mut wide].map(|link| passage(link.enter(later, 972)).propagation);
        assert_eq!(propagations[0], propagations[1]);
    }

    #[test]
    fn each_link_has_luck_of_its_own() {
        let plan = LinkPlan { loss: Loss::Bernoulli { ppm: 500_000 }, ..perfect() };
        let fates = |name: &str| {
            let mut link = Link::new(name.into(), plan.clone(), &SeedTree::root(1));
            [(); 64].map(|()| link.enter(SimTime(0), 1) == Fate::Lost(SimTime(0)))
        };
        assert_eq!(fates("a/up"), fates("a/up"));
        assert_ne!(fates("a/up"), fates("a/down"));
        assert_ne!(fates("a/up"), fates("b/up"));
    }

    #[test]
    fn v133_adds_seven_milliseconds_that_no_leg_reports() {
        plant(&[Mutant::V133]);
        let passage = passage(link(perfect()).enter(SimTime(0), 1));
        plant(&[]);
        assert_eq!(passage.exit, SimTime(7_000));
        assert_eq!((passage.queue, passage.serialization, passage.propagation), Default::default());
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let refused = |plan| validate(&plan).unwrap_err();
        assert_eq!(refused(LinkPlan { rate: Some(BitRate(0)), ..perfect() }), LinkProblem::RateZero);
        assert_eq!(refused(LinkPlan { rate: Some(BitRate(u64::MAX)), ..perfect() }), LinkProblem::RateTooHigh);
        assert_eq!(refused(LinkPlan { propagation: Micros(u64::MAX), ..perfect() }), LinkProblem::DelayTooLong);
        let jitter = Jitter::Normal { deviation: Micros(u64::MAX), reorders: false };
        assert_eq!(refused(LinkPlan { jitter, ..perfect() }), LinkProblem::DelayTooLong);
        assert_eq!(
            refused(LinkPlan { loss: Loss::Bernoulli { ppm: 1_000_001 }, ..perfect() }),
            LinkProblem::NoProbability
        );
        assert_eq!(validate(&perfect()), Ok(()));
    }
}
