//! From what a file says to a plan: names are looked up, defaults filled in, addresses given out.

mod access;
mod judgement;
mod links;
mod media;
mod nat;
mod people;
mod places;
mod story;
mod traffic;
mod trouble;

use crate::{
    file::{Internet, PairedWith, Scenario, Server},
    located::Located,
    problem::Problems,
    scalar::Duration,
    vocabulary::Vocabulary,
};
use kernel::{
    names::ActorName,
    plan::{Cores, Expectation, Pairing, Plan, ServerPlan},
    time::{Micros, SimTime},
};
use links::Links;
use people::People;
use std::{net::IpAddr, path::Path};

/// The plan of a file under seed 0. It is whole only when no problem was noted. A story that may be `cut` can have
/// steps after its end.
pub(crate) fn resolve(
    file: &Scenario,
    name: &str,
    folder: &Path,
    cut: bool,
    vocabulary: &Vocabulary,
    problems: &mut Problems,
) -> Plan {
    let duration = duration(file, problems);
    let end = if cut || duration == Micros::ZERO { SimTime::NEVER } else { SimTime::ZERO + duration };
    let mut links = Links::new(vocabulary, folder);
    let people = People::resolve(file, vocabulary, &mut links, problems);
    let traffic = traffic::resolve(file, &people, (duration, end), vocabulary, &mut links, problems);
    let judgement = judgement::resolve(file, vocabulary, problems);
    Plan {
        scenario: name.into(),
        title: file.title.as_deref().cloned().unwrap_or_default(),
        seed: 0,
        duration,
        timeline_start: Plan::TIMELINE_START,
        signaling: access::server(
            ActorName::from(SIGNALING),
            server_addresses(file, 1),
            &file.signaling,
            &mut links,
            problems,
        ),
        cores: cores(file, problems),
        relays: relays(file, &mut links, problems),
        friends: people.friends(file, problems),
        timeline: story::timeline(file, &people, end, problems),
        core_links: links::core_links(file, &people, &mut links, problems),
        link_schedule: links::schedule(file, &people, &traffic, &mut links, end, problems),
        traces: links.into_traces(),
        nat_schedule: nat::schedule(file, &people, end, problems),
        trouble: trouble::resolve(file, &people, end, problems),
        traffic,
        adversary: story::adversary(file, problems),
        participants: people.into_participants(),
        media: media::resolve(&file.media, problems),
        thresholds: judgement.thresholds,
        exercises: judgement.exercises,
        expect: judgement.expect.unwrap_or(Expectation::Holds),
        mutant: judgement.mutant,
        schedule: story::schedule(file),
        paired_with: file.paired_with.map(|with| match with {
            PairedWith::Relay => Pairing::Relay,
            PairedWith::CleanFeedback => Pairing::CleanFeedback,
        }),
    }
}

/// The relays, each with a name and an address.
fn relays(file: &Scenario, links: &mut Links, problems: &mut Problems) -> Vec<ServerPlan> {
    let names = server_names(file).into_iter().skip(1);
    let relay = |((name, server), host): ((String, &Server), u8)| {
        access::server(ActorName::from(name), server_addresses(file, host), server, links, problems)
    };
    names.zip(file.relay.iter()).zip(2..).map(relay).collect()
}

/// The longest that a replica may be behind.
const LONGEST_REPLICA_DELAY: Micros = Micros::from_secs(10);

/// The cores of the signaling server: one unless the file says more.
fn cores(file: &Scenario, problems: &mut Problems) -> Cores {
    let count = file.cores.count.as_deref().copied().unwrap_or(1);
    if let Some(written) = file.cores.count.as_ref().filter(|count| !(1..=8).contains(&***count)) {
        problems.note(written.span(), "signaling has 1 to 8 cores", "not as many");
    }
    let replica_delay = file.cores.replica_delay.as_ref().map_or(Micros::ZERO, |delay| delay.0);
    if let Some(written) = file.cores.replica_delay.as_ref().filter(|_| replica_delay > LONGEST_REPLICA_DELAY) {
        problems.note(written.span(), "a replica is at most 10 s behind", "longer than that");
    }
    Cores { count: count.clamp(1, 8), replica_delay }
}

/// What the servers are called: signaling, then the relays.
fn server_names(file: &Scenario) -> Vec<String> {
    let relay = |number: usize| if number == 1 { RELAY.to_owned() } else { format!("{RELAY}-{number}") };
    std::iter::once(SIGNALING.to_owned()).chain((1..=file.relay.iter().count().min(MOST_RELAYS)).map(relay)).collect()
}

/// The most relays that a scenario has: a client looks at no more.
const MOST_RELAYS: usize = 8;
/// What the signaling server is called.
pub(crate) const SIGNALING: &str = "signaling";
/// What the relay is called.
pub(crate) const RELAY: &str = "relay";

/// Servers are in TEST-NET-1 (RFC 5737), in the documentation prefix of version 6 (RFC 3849), or in both: then the first is
/// the one of version 4.
fn server_addresses(file: &Scenario, number: u8) -> (IpAddr, Option<IpAddr>) {
    let v4 = IpAddr::from([192, 0, 2, number]);
    let v6 = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(number)]);
    match file.internet {
        Internet::Ipv4 => (v4, None),
        Internet::Ipv6 => (v6, None),
        Internet::DualStack => (v4, Some(v6)),
    }
}

fn duration(file: &Scenario, problems: &mut Problems) -> Micros {
    let Some(duration) = &file.duration else { return Micros::ZERO };
    if duration.0 == Micros::ZERO {
        problems.note(duration.span(), "a scenario without time has no story", "nothing can happen in this");
    }
    duration.0
}

/// Notes a time that is not before the end of the story.
fn within(at: &Located<Duration>, end: SimTime, problems: &mut Problems) {
    if SimTime::ZERO + at.0 >= end {
        let message = format!("at {} or later the story is over", written(at.0));
        problems.note(at.span(), message, format!("the duration is {}", written(end - SimTime::ZERO)));
    }
}

/// A span of time in the largest unit that leaves it whole.
fn written(span: Micros) -> String {
    match span.0 {
        us if us % 1_000_000 == 0 => format!("{} s", us / 1_000_000),
        us if us % 1_000 == 0 => format!("{} ms", us / 1_000),
        us => format!("{us} us"),
    }
}
