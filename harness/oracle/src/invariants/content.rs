//! PH, PRV: what a message may do to who reads it, and what leaves with it.

use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{Run, Seen},
};
use kernel::{
    UserName,
    event::{Act, Fact, LinkShown, MessageHeld, MessageRow, UserAct},
};
use url::Url;

/// How the event calls the warning.
const CARD_NUMBER: &str = "card_number";

/// PH-2, PH-3. What is written as a link is shown by the host that a tap reaches, in ASCII; it opens by HTTPS or not at all.
pub(crate) fn links_show_their_host(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for row in &run.events.messages {
        let shown: Vec<_> = run.events.links_shown.of(&row.device).filter(|link| link.message == row.message).collect();
        for word in row.text.iter().flat_map(|text| text.split_whitespace()).filter(|word| word.starts_with("https://"))
        {
            checks.check(shown.iter().any(|link| word.contains(&link.written)), row.at, row.index, || {
                format!("{} shows the link {word:?} as text", row.device)
            });
        }
    }
    for link in &run.events.links_shown {
        let fault = fault_of(link);
        checks.check(fault.is_none(), link.at, link.index, || {
            format!("{} shows a link as {:?}, {}", link.device, link.shown, fault.unwrap_or_default())
        });
    }
    checks
}

fn fault_of(link: &LinkShown) -> Option<String> {
    // Letters that turn or hide others are no part of an address (UAX 9, UTS 39).
    let hides = |letter: &char| matches!(u32::from(*letter), 0xad | 0x61c | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x2069 | 0xfeff);
    let visible: String = link.written.chars().filter(|letter| !hides(letter)).collect();
    let address = if visible.starts_with("www.") { format!("https://{visible}") } else { visible };
    let Ok(parsed) = Url::parse(&address) else { return Some("which is no link".into()) };
    let expected = parsed.host_str().unwrap_or_else(|| parsed.scheme());
    if link.shown != expected {
        return Some(format!("and it leads to {expected:?}"));
    }
    let opens = link.opens.as_ref().map(|opens| Url::parse(opens));
    match opens {
        None => None,
        Some(Ok(opens)) if opens.scheme() != "https" => Some(format!("and opens it by {}", opens.scheme())),
        Some(Ok(opens)) if opens.host_str() != Some(expected) => Some("and opens another host".into()),
        Some(Ok(opens)) if !opens.username().is_empty() => Some("and opens it in somebody's name".into()),
        Some(Ok(_)) => None,
        Some(Err(_)) => Some("and opens what is no address".into()),
    }
}

/// PH-3, PRV-4. Looking at a message asks nobody for anything: a preview or a map would tell where its reader is.
pub(crate) fn nothing_is_fetched_on_receipt(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    let may_fetch = |row: &Seen<MessageRow>| {
        let has_link = row.text.as_ref().is_some_and(|text| text.contains("://") || text.contains("www."));
        has_link || row.attached.is_some()
    };
    let shown = run.events.messages.iter().filter(|row| may_fetch(row)).count() as u64;
    checks.held(shown.saturating_sub(run.events.fetched.len() as u64));
    for fetched in &run.events.fetched {
        checks.fail(fetched.at, fetched.index, || {
            format!("{} asks for {} by itself, because of a message", fetched.device, fetched.url)
        });
    }
    checks
}

/// PRV-4. A JPEG file holds what a picture is made of and nothing else: no EXIF, XMP, comment or other segment of an
/// application (ITU-T T.81, annex B).
pub(crate) fn pictures_carry_no_metadata(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for sent in &run.events.pictures {
        let fault = metadata(run.log.bytes(sent.bytes));
        checks.check(fault.is_none(), sent.at, sent.index, || {
            format!("a picture leaves {} with {}", sent.device, fault.unwrap_or_default())
        });
    }
    checks
}

/// What a JPEG file holds beside its picture.
fn metadata(file: &[u8]) -> Option<String> {
    let Some(mut rest) = file.strip_prefix(&[0xff, 0xd8]) else { return Some("what is no JPEG file".into()) };
    loop {
        let [0xff, marker, length_high, length_low, ..] = *rest else { return Some("what does not parse".into()) };
        let length = usize::from(u16::from_be_bytes([length_high, length_low]));
        match marker {
            // From the scan on there is the picture, up to the end of the image.
            0xda => return (!rest.ends_with(&[0xff, 0xd9])).then(|| "something behind its end".into()),
            0xe1..=0xef => return Some(format!("an application's segment {}", marker - 0xe0)),
            0xfe => return Some("a comment".into()),
            _ => rest = rest.get(2 + length..).unwrap_or_default(),
        }
    }
}

/// PH-6. Whoever writes what may be a card number is asked once more before it goes, and only then. Until then it is at no
/// server.
pub(crate) fn card_numbers_are_warned_of(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let mut checks = Checks::default();
    for act in &run.events.user_acts {
        let Act::Write { user, text, .. } = &act.get().what else { continue };
        let warns = holds_card_number(text) && !is_verified(run, *act, user);
        let is_its = |held: &&Seen<MessageHeld>| {
            held.warning == CARD_NUMBER && held.at == act.at && held.index > act.index && held.to == *user
        };
        let held = run.events.held_messages.of(&act.device).find(is_its);
        checks.check(held.is_some() == warns, act.at, act.index, || match held {
            None => format!("{} sends a card number to {user} without asking {} once more", act.device, act.user),
            Some(_) => format!("{} holds back what needs no second word", act.device),
        });
    }
    for held in run.events.held_messages.iter().filter(|held| held.warning == CARD_NUMBER) {
        let stored = run
            .events
            .facts
            .iter()
            .find(|seen| matches!(&seen.fact, Fact::MessageStored { message, .. } if *message == held.message));
        let Some(stored) = stored else { continue };
        let released = |act: &&Seen<UserAct>| {
            act.device == held.device && matches!(&act.what, Act::SendAnyway { user } if *user == held.to)
        };
        let released =
            run.events.user_acts.iter().filter(released).any(|act| held.index < act.index && act.index < stored.index);
        checks.check(released, stored.at, stored.index, || {
            format!("what {} held back is sent though nobody said so", held.device)
        });
    }
    checks
}

/// Whether the user of a device had compared the safety number with somebody whose list of devices is the same since.
fn is_verified(run: &Run, act: Seen<UserAct>, other: &UserName) -> bool {
    let mut verified = run.events.user_acts.iter().filter(|earlier| {
        let is_it = matches!(&earlier.what, Act::Verify { user } if user == other);
        is_it && earlier.device == act.device && earlier.index < act.index
    });
    let Some(last) = verified.next_back() else { return false };
    let changes = |fact: &Fact| match fact {
        Fact::DeviceConfirmed { user, .. } | Fact::DeviceRemoved { user, .. } => user == other,
        _ => false,
    };
    !run.events.facts.iter().any(|seen| changes(&seen.fact) && last.index < seen.index && seen.index < act.index)
}

/// Whether a text holds 13 to 19 digits, with nothing but spaces and hyphens between them, that pass Luhn's check
/// (ISO/IEC 7812-1).
fn holds_card_number(text: &str) -> bool {
    let kept: String = text.chars().filter(|letter| !matches!(letter, ' ' | '-' | '\u{a0}')).collect();
    kept.split(|letter: char| !letter.is_ascii_digit()).any(|run| (13..=19).contains(&run.len()) && luhn(run))
}

fn luhn(digits: &str) -> bool {
    let digits = digits.bytes().rev().map(|digit| u32::from(digit - b'0'));
    let sum: u32 =
        digits.enumerate().map(|(at, digit)| if at % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }).sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::Story;
    use kernel::{
        MessageId, ThreadId,
        event::{self, Attached, Event},
    };

    const LINKS: &str = "links_show_their_host";
    const FETCHED: &str = "nothing_is_fetched_on_receipt";
    const PICTURES: &str = "pictures_carry_no_metadata";
    const CARDS: &str = "card_numbers_are_warned_of";
    const MESSAGE: MessageId = MessageId([3; 16]);

    /// Alice, who is a friend, wrote to Bob, whose phone shows it.
    fn wrote(text: &str, attached: Option<Attached>) -> Story {
        let mut story = Story::new();
        let (thread, sender) = (ThreadId::between(&"alice".into(), &"bob".into()), "alice".into());
        story.befriend().at(1_000).act("alice-phone", Act::Write { user: "bob".into(), text: text.into(), attached });
        let stored = Fact::MessageStored { message: MESSAGE, thread: thread.clone(), sender, numbers: [1, 1] };
        story.at(1_100).fact(stored);
        let text = Some(text.to_owned());
        for device in ["alice-phone", "bob-phone"] {
            let (device, thread, text) = (device.into(), thread.clone(), text.clone());
            let row = event::MessageRow { device, thread, message: MESSAGE, sender: "alice".into(), text, attached };
            story.at(1_200).tell(Event::MessageRow(row));
        }
        story
    }

    fn link(story: &mut Story, written: &str, shown: &str, opens: Option<&str>) {
        for device in ["alice-phone", "bob-phone"] {
            let (device, written, shown) = (device.into(), written.into(), shown.into());
            let opens = opens.map(str::to_owned);
            story.tell(Event::LinkShown(event::LinkShown { device, message: MESSAGE, written, shown, opens }));
        }
    }

    fn linked(written: &str, shown: &str, opens: Option<&str>) -> Story {
        let mut story = wrote(written, None);
        link(&mut story, written, shown, opens);
        story
    }

    #[test]
    fn links_are_judged_by_where_they_lead() {
        let rogue = "https://instagram.com@evil.example/login";
        assert_eq!(linked(rogue, "evil.example", Some("https://evil.example/login")).holds(LINKS), 4);
        assert_eq!(linked("http://example.org/", "example.org", None).holds(LINKS), 2);
        for (shown, opens, sentence) in [
            ("instagram.com", None, "shows a link as \"instagram.com\", and it leads to \"evil.example\""),
            ("evil.example", Some("http://evil.example/"), "and opens it by http"),
            ("evil.example", Some("https://other.example/"), "and opens another host"),
            ("evil.example", Some(rogue), "and opens it in somebody's name"),
            ("evil.example", Some("evil"), "and opens what is no address"),
        ] {
            let found = linked(rogue, shown, opens).fails_only(LINKS);
            assert!(found.contains(sentence), "{found}");
        }
        assert!(wrote(rogue, None).fails_only(LINKS).contains("as text"));
    }

    #[test]
    fn whatever_a_device_asks_for_because_of_a_message_is_too_much() {
        assert_eq!(wrote("here", Some(Attached::Location)).holds(FETCHED), 2);
        let mut story = wrote("here", Some(Attached::Location));
        let url = "http://maps.example/tile".to_owned();
        story.tell(Event::Fetched(event::Fetched { device: "bob-phone".into(), url }));
        assert_eq!(
            story.fails_only(FETCHED),
            "bob-phone asks for http://maps.example/tile by itself, because of a message"
        );
    }

    fn picture(bytes: &[u8]) -> Story {
        let mut story = Story::new();
        let bytes = story.store(bytes);
        story.tell(Event::PictureSent(event::PictureSent { device: "alice-phone".into(), message: None, bytes }));
        story
    }

    #[test]
    fn a_picture_holds_nothing_but_a_picture() {
        let (start, table, end) =
            (&[0xff, 0xd8][..], &[0xff, 0xdb, 0, 3, 1][..], &[0xff, 0xda, 0, 2, 5, 6, 0xff, 0xd9][..]);
        let exif = &[0xff, 0xe1, 0, 4, b'E', b'x'][..];
        let comment = &[0xff, 0xfe, 0, 3, b'!'][..];
        assert_eq!(picture(&[start, table, end].concat()).holds(PICTURES), 1);
        for (parts, fault) in [
            (vec![start, exif, table, end], "an application's segment 1"),
            (vec![start, table, comment, end], "a comment"),
            (vec![start, table], "what does not parse"),
            (vec![start, table, end, b"trailer"], "something behind its end"),
            (vec![b"GIF89a"], "what is no JPEG file"),
        ] {
            let sentence = picture(&parts.concat()).fails_only(PICTURES);
            assert_eq!(sentence, format!("a picture leaves alice-phone with {fault}"));
        }
    }

    fn held(story: &mut Story, ms: u64) {
        let (device, message, to) = ("alice-phone".into(), MESSAGE, "bob".into());
        let warning = "card_number".to_owned();
        story.at(ms).tell(Event::MessageHeld(event::MessageHeld { device, message, to, warning }));
    }

    fn card(text: &str, warns: bool, says_so: bool, is_sent: bool) -> Story {
        let mut story = Story::new();
        let user: kernel::UserName = "bob".into();
        let act = Act::Write { user: user.clone(), text: text.into(), attached: None };
        story.befriend().at(1_000).act("alice-phone", act);
        if warns {
            held(&mut story, 1_000);
        }
        if says_so {
            story.at(2_000).act("alice-phone", Act::SendAnyway { user });
        }
        if is_sent {
            let thread = ThreadId::between(&"alice".into(), &"bob".into());
            story.at(2_100).fact(Fact::MessageStored {
                message: MESSAGE,
                thread,
                sender: "alice".into(),
                numbers: [1, 1],
            });
        }
        story
    }

    #[test]
    fn a_card_number_waits_for_a_second_word() {
        let number = "4111 1111 1111 1111";
        assert_eq!(card(number, true, true, true).holds(CARDS), 2);
        assert_eq!(card(number, true, false, false).holds(CARDS), 1);
        assert_eq!(card("4111 1111 1111 1112", false, false, true).holds(CARDS), 1);
        assert_eq!(
            card(number, false, false, true).fails_only(CARDS),
            "alice-phone sends a card number to bob without asking alice once more"
        );
        assert_eq!(
            card(number, true, false, true).fails_only(CARDS),
            "what alice-phone held back is sent though nobody said so"
        );
        assert_eq!(
            card("hello", true, true, true).fails_only(CARDS),
            "alice-phone holds back what needs no second word"
        );
    }
}
