//! Queue delay against closed forms.

use crate::driver::{PERFECT, drive_until, endpoint, from_zero, node};
use kernel::{BitRate, Datagram, SimTime, plan::LinkPlan, random::SeedTree, time::set_now};
use network::Fabric;

/// 972 bytes of payload and 28 of headers at 8 Mbit/s: a millisecond.
const SERVICE_US: u64 = 1_000;

/// Sends packets of one length at these times over a link of 8 Mbit/s; how long each waited.
fn waits(times: &[u64]) -> Vec<u64> {
    from_zero(|| {
        let mut fabric = Fabric::new(SeedTree::root(1));
        let up = LinkPlan { rate: Some(BitRate::from_mbps(8)), queue_bytes: u64::MAX, ..PERFECT };
        fabric.add_node(node("a", "198.51.100.1", up, PERFECT)).unwrap();
        fabric.add_node(node("b", "198.51.100.2", PERFECT, PERFECT)).unwrap();
        let (source, destination) = (endpoint("198.51.100.1:1"), endpoint("198.51.100.2:1"));
        let mut arrivals = Vec::new();
        for at in times {
            drive_until(&mut fabric, SimTime(*at), &mut arrivals, |_| None);
            set_now(SimTime(*at));
            fabric.send(&"a".into(), Datagram::new(source, destination, vec![0; 972]));
        }
        drive_until(&mut fabric, SimTime::NEVER, &mut arrivals, |_| None);
        arrivals.iter().zip(times).map(|((at, _), sent)| at.0 - sent - SERVICE_US).collect()
    })
}

#[test]
fn steady_arrivals_below_the_rate_never_wait_and_above_it_wait_ever_longer() {
    // D/D/1: packet n waits max(0, n (service - interval)).
    for interval in [1_000, 1_001, 1_500, 5_000] {
        let times: Vec<u64> = (0..2_000).map(|n| n * interval).collect();
        assert!(waits(&times).iter().all(|wait| *wait == 0), "every {interval} us");
    }
    for interval in [999, 750, 1, 0] {
        let times: Vec<u64> = (0..2_000).map(|n| n * interval).collect();
        let expected: Vec<u64> = (0..2_000).map(|n| n * (SERVICE_US - interval)).collect();
        assert_eq!(waits(&times), expected, "every {interval} us");
    }
}

#[test]
fn random_arrivals_wait_as_pollaczek_and_khinchine_say() {
    // M/D/1: the mean wait is load x service / (2 (1 - load)).
    for load in [0.3, 0.5, 0.8] {
        let mut stream = SeedTree::root(9).stream("arrivals");
        let mut at = 0.0;
        let mut arrival = || {
            let uniform = (stream.next_u64() as f64 + 1.0) / 18_446_744_073_709_551_616.0;
            at += -uniform.ln() * SERVICE_US as f64 / load;
            at as u64
        };
        let times: Vec<u64> = (0..400_000).map(|_| arrival()).collect();
        let waits = waits(&times);
        let mean = waits.iter().sum::<u64>() as f64 / waits.len() as f64;
        let expected = load * SERVICE_US as f64 / (2.0 * (1.0 - load));
        println!("M/D/1 at load {load}: mean wait {mean:.1} us, expected {expected:.1} us");
        assert!((mean / expected - 1.0).abs() < 0.03, "at load {load} packets wait {mean} us and not {expected}");
    }
}
