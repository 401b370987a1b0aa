//! What servers ask the world for: durable transactions, and credentials at a relay.

use crate::{
    puppets::{Puppet, lines, notes, run},
    village::{server, village},
};
use kernel::{Micros, Plan, SimTime};
use signaling::{Commit, TxId};
use world::{ActorInput, ActorOutput};

#[test]
fn transactions_become_durable_in_order_each_after_the_time_of_a_write() {
    let outcome = run(&village(Micros::from_millis(100)), |name| match name {
        "signaling" => Puppet::idle(name).waking(SimTime(10_000_100)).doing(|input, _, server| match input {
            ActorInput::Timeout => {
                for tx in [7, 3, 5].map(TxId) {
                    server.output(ActorOutput::Commit(Commit { tx, ..Commit::default() }));
                }
            }
            ActorInput::Committed(TxId(tx)) => server.note(format!("{tx} is durable")),
            _ => {}
        }),
        _ => Puppet::idle(name),
    });
    let expected = [(10_001_600, "7 is durable"), (10_003_100, "3 is durable"), (10_004_600, "5 is durable")];
    assert_eq!(notes(&outcome.unwrap().log), lines(&expected));
}

#[test]
fn a_credential_reaches_its_relay_at_the_microsecond_of_the_grant() {
    let plan = Plan { relays: vec![server("relay", 2), server("other-relay", 3)], ..village(Micros::from_millis(100)) };
    let outcome = run(&plan, |name| match name {
        "signaling" => Puppet::idle(name).waking(SimTime(10_000_100)).doing(|_, now, server| {
            let (relay, username) = ("relay".into(), "alice".to_owned());
            let (password, lifetime) = ("secret".to_owned(), Micros::from_secs(60));
            if now.0 == 10_000_100 {
                server.output(ActorOutput::GrantRelay { relay, username, password, lifetime });
                server.wake = Some(SimTime(10_000_250));
            } else {
                server.output(ActorOutput::RevokeRelay { relay, username });
            }
        }),
        "relay" | "other-relay" => Puppet::idle(name).doing(|input, _, relay| relay.note(format!("{input:?}"))),
        _ => Puppet::idle(name),
    });
    let expected = [
        (10_000_100, r#"Grant { username: "alice", password: "secret", lifetime: Micros(60000000) }"#),
        (10_000_250, r#"Revoke { username: "alice" }"#),
    ];
    assert_eq!(notes(&outcome.unwrap().log), lines(&expected));
}
