//! PRV-3, apart from pushes: what of a call can be read by whoever is no party of it, or kept by whoever is, names nobody.

use crate::{catalogue::Evidence, checks::Checks, run::Run};
use kernel::event::WireProtocol;
use std::collections::BTreeMap;

/// Bytes of a packet that SRTP and SRTCP leave in clear at its head: those of RTP with a CSRC list and extensions.
const CLEAR: usize = 64;
/// Shorter names could be in a packet by chance.
const SHORTEST_ON_THE_WIRE: usize = 8;

/// PRV-3b. A description is what the peer's application is given, and its CNAME what RTCP repeats (RFC 7022).
pub(crate) fn no_name_in_clear(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    let names = names(run);
    let mut sources = BTreeMap::new();
    for described in &run.events.described {
        let named = names.iter().find(|name| holds_word(described.sdp.as_bytes(), name.as_bytes()));
        checks.check(named.is_none(), described.at, described.index, || {
            format!("{} describes its side of the call by the name {}", described.device, named.unwrap_or(&""))
        });
        for cname in described.get().sdp.lines().filter_map(cname) {
            let call = *sources.entry(cname).or_insert(described.call);
            checks.check(call == described.call, described.at, described.index, || {
                format!("{} uses the CNAME {cname} in two calls", described.device)
            });
        }
    }
    let long: Vec<&&str> = names.iter().filter(|name| name.len() >= SHORTEST_ON_THE_WIRE).collect();
    for sent in &run.events.packets_sent {
        if !matches!(sent.protocol, WireProtocol::Rtp | WireProtocol::Rtcp) {
            continue;
        }
        let bytes = run.log.bytes(sent.bytes);
        let head = &bytes[..bytes.len().min(CLEAR)];
        let named = long.iter().find(|name| head.windows(name.len()).any(|window| window == name.as_bytes()));
        checks.check(named.is_none(), sent.at, sent.index, || {
            format!("a packet of {} has the name {} at its head", sent.from, named.map_or("", |name| **name))
        });
    }
    checks
}

/// Everybody's name, and every device's.
fn names<'a>(run: &Run<'a>) -> Vec<&'a str> {
    let participants = run.plan.participants.iter();
    let mut names: Vec<&str> = participants.flat_map(|one| [one.user.as_str(), one.device.as_str()]).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether a text has the word: no letter or digit before or behind it.
fn holds_word(text: &[u8], word: &[u8]) -> bool {
    let is_edge = |at: Option<&u8>| at.is_none_or(|byte| !byte.is_ascii_alphanumeric());
    let is_at = |(start, window): (usize, &[u8])| {
        window == word
            && is_edge(start.checked_sub(1).and_then(|at| text.get(at)))
            && is_edge(text.get(start + word.len()))
    };
    text.windows(word.len().max(1)).enumerate().any(is_at)
}

/// The CNAME of a line `a=ssrc:1 cname:x` (RFC 5576 section 6.1).
fn cname(line: &str) -> Option<&str> {
    line.strip_prefix("a=ssrc:")?.split_once(" cname:").map(|(_, cname)| cname)
}

#[cfg(test)]
mod tests {
    use crate::story::{CALL, Story};
    use kernel::{
        CallId,
        event::{Described, Event},
    };

    const NAME: &str = "no_name_in_clear";

    fn described(story: &mut Story, call: CallId, cname: &str) {
        let sdp = format!("v=0\r\na=ssrc:17 cname:{cname}\r\n");
        story.tell(Event::Described(Described { device: "alice-phone".into(), call, sdp }));
    }

    #[test]
    fn a_random_cname_for_each_call_names_nobody() {
        let mut story = Story::new();
        described(story.at(1_000), CALL, "bobQz7alice2k9");
        described(&mut story, CALL, "bobQz7alice2k9");
        described(&mut story, CallId([9; 16]), "xY3");
        assert_eq!(story.holds(NAME), 6);
    }

    #[test]
    fn a_name_is_found_and_a_cname_of_two_calls() {
        let mut story = Story::new();
        described(story.at(1_000), CALL, "alice@alice-phone");
        assert_eq!(story.fails_only(NAME), "alice-phone describes its side of the call by the name alice");
        let mut story = Story::new();
        described(story.at(1_000), CALL, "q7");
        described(&mut story, CallId([9; 16]), "q7");
        assert_eq!(story.fails_only(NAME), "alice-phone uses the CNAME q7 in two calls");
    }
}
