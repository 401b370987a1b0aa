//! The ranges of a link's parameters.

use crate::{error::LinkProblem, jitter::spread, pace::MAX_RATE};
use kernel::{
    Micros,
    plan::{Aqm, LinkPlan, Loss, Policer},
};

/// Propagation, jitter and the spans of queue management beyond this are refused.
const MAX_DELAY: Micros = Micros::from_secs(3_600);
/// Sizes beyond this are refused.
const MAX_BYTES: u64 = 1 << 30;
/// The smallest MTU that IPv4 allows (RFC 791).
const LEAST_MTU: u32 = 68;

/// Checks the ranges of a link: rates from 1 bit/s to 1 Tbit/s, delays up to an hour, probabilities up to one, and what
/// [`LinkProblem`] says of the others.
///
/// # Errors
/// Names the first parameter that is out of its range.
pub fn validate(plan: &LinkPlan) -> Result<(), LinkProblem> {
    match plan.rate {
        Some(rate) if rate.0 == 0 => return Err(LinkProblem::RateZero),
        Some(rate) if rate > MAX_RATE => return Err(LinkProblem::RateTooHigh),
        _ => {}
    }
    if plan.propagation.max(spread(&plan.jitter)).max(plan.reordering.hold) > MAX_DELAY {
        return Err(LinkProblem::DelayTooLong);
    }
    if probabilities(plan).any(|ppm| ppm > 1_000_000) {
        return Err(LinkProblem::NoProbability);
    }
    if !(LEAST_MTU..=LinkPlan::NO_MTU).contains(&plan.mtu) {
        return Err(LinkProblem::BadMtu);
    }
    if plan.overhead > 65_535 {
        return Err(LinkProblem::OverheadTooLarge);
    }
    if !plan.lost_packets.is_sorted() {
        return Err(LinkProblem::LostPacketsUnsorted);
    }
    policer(&plan.policer)?;
    aqm(&plan.aqm)
}

fn probabilities(plan: &LinkPlan) -> impl Iterator<Item = u32> {
    let loss = match plan.loss {
        Loss::None => [0; 4],
        Loss::Bernoulli { ppm } => [ppm, 0, 0, 0],
        Loss::GilbertElliott { p_ppm, r_ppm, good_loss_ppm, bad_loss_ppm } => {
            [p_ppm, r_ppm, good_loss_ppm, bad_loss_ppm]
        }
    };
    let correlation = match plan.jitter {
        kernel::plan::Jitter::Correlated { correlation_ppm, .. } => correlation_ppm,
        _ => 0,
    };
    let others = [plan.reordering.ppm, plan.duplication_ppm, plan.corruption_ppm, plan.truncation_ppm, correlation];
    loss.into_iter().chain(others)
}

fn policer(policer: &Policer) -> Result<(), LinkProblem> {
    match policer {
        Policer::None => Ok(()),
        Policer::TokenBucket { rate, burst } => {
            let fits = (1..=MAX_RATE.0).contains(&rate.0) && (1..=MAX_BYTES).contains(burst);
            if fits { Ok(()) } else { Err(LinkProblem::BadPolicer) }
        }
    }
}

fn aqm(aqm: &Aqm) -> Result<(), LinkProblem> {
    let codel = |target: Micros, interval: Micros| target <= MAX_DELAY && (1..=MAX_DELAY.0).contains(&interval.0);
    match *aqm {
        Aqm::DropTail => Ok(()),
        Aqm::Codel { target, interval, .. } if codel(target, interval) => Ok(()),
        Aqm::FqCodel { target, interval, flows, quantum, .. }
            if codel(target, interval) && (1..=65_536).contains(&flows) && quantum > 0 =>
        {
            Ok(())
        }
        Aqm::Codel { .. } | Aqm::FqCodel { .. } => Err(LinkProblem::BadCodel),
        Aqm::Red { min, max, probability_ppm, weight_shift, .. } => {
            let fits = 0 < min && min < max && max <= MAX_BYTES && probability_ppm <= 1_000_000 && weight_shift <= 20;
            if fits { Ok(()) } else { Err(LinkProblem::BadRed) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{BitRate, plan::Jitter};

    #[test]
    fn values_out_of_range_are_refused() {
        let ideal = || LinkPlan::IDEAL;
        let refused = |plan: LinkPlan| validate(&plan).unwrap_err();
        assert_eq!(refused(LinkPlan { rate: Some(BitRate(0)), ..ideal() }), LinkProblem::RateZero);
        assert_eq!(refused(LinkPlan { rate: Some(BitRate(u64::MAX)), ..ideal() }), LinkProblem::RateTooHigh);
        assert_eq!(refused(LinkPlan { propagation: Micros(u64::MAX), ..ideal() }), LinkProblem::DelayTooLong);
        let jitter = Jitter::Normal { deviation: Micros(u64::MAX), reorders: false };
        assert_eq!(refused(LinkPlan { jitter, ..ideal() }), LinkProblem::DelayTooLong);
        for plan in [
            LinkPlan { loss: Loss::Bernoulli { ppm: 1_000_001 }, ..ideal() },
            LinkPlan { duplication_ppm: 1_000_001, ..ideal() },
            LinkPlan { truncation_ppm: u32::MAX, ..ideal() },
        ] {
            assert_eq!(refused(plan), LinkProblem::NoProbability);
        }
        assert_eq!(refused(LinkPlan { mtu: 67, ..ideal() }), LinkProblem::BadMtu);
        assert_eq!(refused(LinkPlan { mtu: 65_536, ..ideal() }), LinkProblem::BadMtu);
        assert_eq!(refused(LinkPlan { overhead: 65_536, ..ideal() }), LinkProblem::OverheadTooLarge);
        assert_eq!(refused(LinkPlan { lost_packets: vec![2, 1], ..ideal() }), LinkProblem::LostPacketsUnsorted);
        let policer = Policer::TokenBucket { rate: BitRate(8), burst: 0 };
        assert_eq!(refused(LinkPlan { policer, ..ideal() }), LinkProblem::BadPolicer);
        let aqm = Aqm::Codel { target: Micros(1), interval: Micros(0), ecn: false };
        assert_eq!(refused(LinkPlan { aqm, ..ideal() }), LinkProblem::BadCodel);
        let aqm = Aqm::Red { min: 2, max: 2, probability_ppm: 1, weight_shift: 9, ecn: false };
        assert_eq!(refused(LinkPlan { aqm, ..ideal() }), LinkProblem::BadRed);
        for aqm in [Aqm::DropTail, Aqm::CODEL, Aqm::FQ_CODEL] {
            assert_eq!(validate(&LinkPlan { aqm, ..ideal() }), Ok(()));
        }
    }
}
