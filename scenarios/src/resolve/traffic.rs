//! Cross traffic: who sends what to whom, and what each kind of flow needs.

use super::{
    access,
    links::{self, Links},
    people::People,
    within,
};
use crate::{
    either::Either,
    file::{CongestionWord, Network, Scenario, Traffic, TrafficWord},
    located::{Located, Span},
    problem::Problems,
    scalar::{Duration, Rate},
    vocabulary::Vocabulary,
};
use kernel::{
    names::ActorName,
    plan::{AccessPlan, CongestionKind, Firewall, TRAFFIC_PORTS, TrafficEnd, TrafficKind, TrafficPlan, TrafficSide},
    time::{BitRate, Micros, SimTime},
};
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

/// The most flows of a scenario: as many as have ports and addresses.
const MOST: usize = 64;
/// Below that a packet takes more than a second, above it the packets of a second are too many.
const RATES: std::ops::RangeInclusive<BitRate> = BitRate(8_000)..=BitRate(1_000_000_000);
/// The first port of the first flow; those of devices and servers are others.
const FIRST_PORT: u16 = 20_032;

/// The flows, in the order of the file.
pub(super) fn resolve(
    file: &Scenario,
    people: &People,
    (duration, end): (Micros, SimTime),
    vocabulary: &Vocabulary,
    links: &mut Links,
    problems: &mut Problems,
) -> Vec<TrafficPlan> {
    let mut flows: Vec<TrafficPlan> = Vec::new();
    let mut names = BTreeSet::new();
    for (entry, number) in file.traffic.iter().zip(0u16..) {
        if usize::from(number) == MOST {
            problems.note(entry.span(), format!("a scenario has at most {MOST} flows of traffic"), "one too many");
            break;
        }
        let kind = entry.kind.as_ref().and_then(|word| kind(entry, word, problems));
        let name = name(entry, number, &mut names, problems);
        let hosts = Ends { name: &name, number, file, people, vocabulary };
        let (from, to) = ((&entry.from, &entry.from_via[..]), (&entry.to, &entry.to_via[..]));
        let (source, source_open) = hosts.end(from, TrafficSide::Source, links, problems);
        let (sink, sink_open) = hosts.end(to, TrafficSide::Sink, links, problems);
        if source.address.ip() == sink.address.ip() {
            problems.note(entry.span(), "a flow goes from one host to another", "both ends are the same");
        } else if !source_open && !sink_open {
            problems.note(entry.span(), "one end of a flow must have a public address", "both are behind a NAT");
        }
        let (begins, ends) = times(entry, (duration, end), problems);
        let opener = if sink_open { TrafficSide::Source } else { TrafficSide::Sink };
        flows.extend(kind.map(|kind| TrafficPlan { name, kind, source, sink, opener, start: begins, end: ends }));
    }
    flows
}

fn name(entry: &Traffic, number: u16, names: &mut BTreeSet<String>, problems: &mut Problems) -> String {
    let word = match entry.kind.as_deref() {
        Some(TrafficWord::Cbr) => "cbr",
        Some(TrafficWord::RandomWalk) => "random-walk",
        Some(TrafficWord::Pulses) => "pulses",
        Some(TrafficWord::LongTcp) => "long-tcp",
        Some(TrafficWord::ShortTcp) => "short-tcp",
        None => "flow",
    };
    let Some(given) = &entry.name else {
        let name = format!("{word}-{}", number + 1);
        names.insert(name.clone());
        return name;
    };
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if given.is_empty() || given.len() > 32 || !given.chars().all(letters) || !given.starts_with(char::is_alphabetic) {
        let message = format!("no flow can be called `{}`", **given);
        problems.note(given.span(), message, "up to 32 of a-z, 0-9 and -, a letter first");
    } else if !names.insert(String::clone(given)) {
        problems.note(given.span(), format!("two flows are called `{}`", **given), "the second one");
    }
    String::clone(given)
}

fn times(entry: &Traffic, (duration, end): (Micros, SimTime), problems: &mut Problems) -> (Micros, Micros) {
    let begins = entry.start.as_ref().map_or(Micros::ZERO, |start| start.0);
    if let Some(start) = &entry.start {
        within(start, end, problems);
    }
    let ends = entry.end.as_ref().map_or(duration.max(begins + Micros(1)), |end| end.0);
    if let Some(last) = &entry.end {
        if last.0 > end.since(SimTime::ZERO) {
            problems.note(last.span(), "the flow ends after the story", "leave it out to end with the story");
        } else if last.0 <= begins {
            problems.note(last.span(), "the flow ends before it begins", "not after its `start`");
        }
    }
    (begins, ends)
}

/// What a file says of an end: a participant, or an access network of its own.
type Place = Located<Either<String, Network>>;

struct Ends<'a> {
    name: &'a str,
    number: u16,
    file: &'a Scenario,
    people: &'a People,
    vocabulary: &'a Vocabulary,
}

impl Ends<'_> {
    /// An end, and whether others can reach it unasked.
    fn end(
        &self,
        (given, via): (&Option<Place>, &[Located<String>]),
        side: TrafficSide,
        links: &mut Links,
        problems: &mut Problems,
    ) -> (TrafficEnd, bool) {
        let (place, suffix) = match side {
            TrafficSide::Source => (2 * self.number, "source"),
            TrafficSide::Sink => (2 * self.number + 1, "sink"),
        };
        let port = FIRST_PORT + TRAFFIC_PORTS * place;
        let access = match given {
            Some(given) => match &**given {
                Either::Text(user) => {
                    let participant = self.people.device_at(user, given.span(), problems);
                    if let Some(first) = via.first() {
                        let message = "a participant goes over the core links of its own `via`";
                        problems.note(first.span(), message, "means nothing here");
                    }
                    if let Some(participant) = participant {
                        let address = SocketAddr::new(participant.address, port);
                        let end = TrafficEnd { host: participant.device.clone(), address, access: None };
                        return (end, participant.access.nat.is_none());
                    }
                    access::own_server()
                }
                Either::Table(_) => access::access(given, self.vocabulary, links, problems),
            },
            None => access::own_server(),
        };
        // TEST-NET-1 (RFC 5737) above the servers, then the benchmarking range (RFC 2544): every host has a public address.
        let ip = match u8::try_from(place + 100) {
            Ok(last) => Ipv4Addr::new(192, 0, 2, last),
            Err(_) => Ipv4Addr::new(198, 18, 0, place as u8),
        };
        let ip = IpAddr::from(ip);
        let access = AccessPlan {
            preset: access.preset,
            up: access.links.up,
            down: access.links.down,
            nat: None,
            public_address: ip,
            carrier: None,
            firewall: Firewall::Open,
            via: links::via(via, self.file, problems),
            ipv6: None,
        };
        let host = ActorName::from(format!("{}-{suffix}", self.name));
        (TrafficEnd { host, address: SocketAddr::new(ip, port), access: Some(access) }, true)
    }
}

/// What a kind of flow needs and is not given, or has no use for, is noted.
fn kind(entry: &Traffic, word: &Located<TrafficWord>, problems: &mut Problems) -> Option<TrafficKind> {
    use TrafficWord::{Cbr, LongTcp, Pulses, RandomWalk, ShortTcp};
    let keys: [(&str, Option<Span>, &[TrafficWord]); 13] = [
        ("rate", entry.rate.as_ref().map(Located::span), &[Cbr, Pulses]),
        ("least", entry.least.as_ref().map(Located::span), &[RandomWalk]),
        ("most", entry.most.as_ref().map(Located::span), &[RandomWalk]),
        ("step", entry.step.as_ref().map(Located::span), &[RandomWalk]),
        ("every", entry.every.as_ref().map(Located::span), &[RandomWalk]),
        ("on", entry.on.as_ref().map(Located::span), &[Pulses]),
        ("off", entry.off.as_ref().map(Located::span), &[Pulses]),
        ("congestion", entry.congestion.as_ref().map(Located::span), &[LongTcp, ShortTcp]),
        ("strands", entry.strands.as_ref().map(Located::span), &[ShortTcp]),
        ("start_on", entry.start_on.as_ref().map(Located::span), &[ShortTcp]),
        ("smallest", entry.smallest.as_ref().map(Located::span), &[ShortTcp]),
        ("largest", entry.largest.as_ref().map(Located::span), &[ShortTcp]),
        ("idle", entry.idle.as_ref().map(Located::span), &[ShortTcp]),
    ];
    for (key, given, kinds) in keys {
        if let Some(given) = given.filter(|_| !kinds.contains(word)) {
            problems.note(given, format!("this kind of traffic has no `{key}`"), "means nothing here");
        }
    }
    let congestion = match entry.congestion.as_deref() {
        None | Some(CongestionWord::Cubic) => CongestionKind::Cubic,
        Some(CongestionWord::Reno) => CongestionKind::Reno,
    };
    match **word {
        Cbr => Some(TrafficKind::Cbr { rate: rate("rate", &entry.rate, word, problems)? }),
        RandomWalk => walk(entry, word, problems),
        Pulses => {
            let rate = rate("rate", &entry.rate, word, problems);
            let on = time("on", &entry.on, word, problems);
            let off = time("off", &entry.off, word, problems);
            Some(TrafficKind::Pulses { rate: rate?, on: on?, off: off? })
        }
        LongTcp => Some(TrafficKind::LongTcp { congestion }),
        ShortTcp => short(entry, word, congestion, problems),
    }
}

fn walk(entry: &Traffic, word: &Located<TrafficWord>, problems: &mut Problems) -> Option<TrafficKind> {
    let least = rate("least", &entry.least, word, problems);
    let most = rate("most", &entry.most, word, problems);
    let (least, most) = (least?, most?);
    if least >= most {
        let place = entry.most.as_ref().map_or(word.span(), Located::span);
        problems.note(place, "a walk needs room between `least` and `most`", "not above `least`");
    }
    let step = entry.step.as_ref().map_or(BitRate((most.0.saturating_sub(least.0) / 10).max(1)), |step| step.0);
    let every = match &entry.every {
        None => Micros::from_secs(1),
        Some(_) => time("every", &entry.every, word, problems)?,
    };
    Some(TrafficKind::RandomWalk { least, most, step, every })
}

fn short(
    entry: &Traffic,
    word: &Located<TrafficWord>,
    congestion: CongestionKind,
    problems: &mut Problems,
) -> Option<TrafficKind> {
    let strands = entry.strands.as_ref().map_or(30, |strands| **strands);
    let start_on = entry.start_on.as_ref().map_or(strands, |start_on| **start_on);
    if let Some(given) = entry.start_on.as_ref().filter(|given| ***given > strands) {
        problems.note(given.span(), format!("there are only {strands} strands"), "more than there are");
    }
    let smallest = entry.smallest.as_ref().map_or(30_000, |size| size.0);
    let largest = entry.largest.as_ref().map_or(50_000.max(smallest), |size| size.0);
    if smallest == 0 || smallest > largest {
        let place = entry.smallest.as_ref().or(entry.largest.as_ref()).map_or(word.span(), Located::span);
        problems.note(place, "a transfer has at least a byte, and at most `largest`", "not in order");
        return None;
    }
    let idle = entry.idle.as_ref().map_or(Micros::from_secs(10), |idle| idle.0);
    Some(TrafficKind::ShortTcp { congestion, strands, start_on, smallest, largest, idle })
}

fn rate(
    key: &str,
    given: &Option<Located<Rate>>,
    word: &Located<TrafficWord>,
    problems: &mut Problems,
) -> Option<BitRate> {
    let Some(given) = given else {
        problems.note(word.span(), format!("this kind of traffic needs `{key}`"), format!("`{key}` is missing"));
        return None;
    };
    if !RATES.contains(&given.0) {
        problems.note(given.span(), "traffic has a rate from 8 kbit/s to 1 Gbit/s", "outside of that");
        return None;
    }
    Some(given.0)
}

fn time(
    key: &str,
    given: &Option<Located<Duration>>,
    word: &Located<TrafficWord>,
    problems: &mut Problems,
) -> Option<Micros> {
    let Some(given) = given else {
        problems.note(word.span(), format!("this kind of traffic needs `{key}`"), format!("`{key}` is missing"));
        return None;
    };
    if given.0 < Micros::from_millis(1) {
        problems.note(given.span(), format!("`{key}` is at least a millisecond"), "too short");
        return None;
    }
    Some(given.0)
}
