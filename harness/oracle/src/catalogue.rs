//! The catalogue of invariants.

use crate::{
    checks::Checks,
    invariants::{
        accounts, agreement, call_machine, confidentiality, consent, content, devices, durability, friend_gating,
        identity, impersonation, integrity, key_hygiene, names, off, passwords, path, privacy, push, rates, refusals,
        relays, rollback, screens, settings, strangers, subjects, third_parties, threads,
    },
    judgement::Metric,
    run::Run,
    trial::Trial,
    views::Search,
};
use kernel::Mutant;

/// A truth about every run, with the checker that is named after it.
#[derive(Clone, Copy, Debug)]
pub struct Invariant {
    /// Id, as `FG-1`; several when one truth covers them, joined by `/`.
    pub id: &'static str,
    /// Name, as `only_friends_ring`: the same in logs, reports, scenarios.
    pub name: &'static str,
    /// The truth in a sentence.
    pub truth: &'static str,
    /// Whether it can be judged from outside alone: packets, signaling, screens, rendered pictures. Such an invariant
    /// will judge foreign stacks too.
    pub foreign: bool,
    /// The planted bugs that must make exactly this invariant fail.
    pub mutants: &'static [Mutant],
    pub(crate) checker: Checker,
}

/// The metrics of two runs of one plan: as it is, and with all media over the relay.
#[derive(Clone, Copy)]
pub(crate) struct Pair<'e> {
    pub(crate) direct: &'e [Metric],
    pub(crate) relayed: &'e [Metric],
}

/// What the checkers read: the joined log, what was found in the views, and what opened a frame.
pub(crate) struct Evidence<'e, 'a> {
    pub(crate) run: &'e Run<'a>,
    pub(crate) search: &'e Search<'a>,
    pub(crate) trial: &'e Trial<'a>,
    /// Where the plan was run a second time over the relay.
    pub(crate) pair: Option<Pair<'e>>,
}

pub(crate) type Checker = fn(&Evidence) -> Checks;

/// Every invariant, in the order of the reports.
pub const INVARIANTS: &[Invariant] = &[
    Invariant {
        id: "FG-1",
        name: "only_friends_ring",
        truth: "A device rings only for a caller whose friendship both sides accepted, with no block between them.",
        foreign: true,
        mutants: &[Mutant::V20, Mutant::V21, Mutant::V23],
        checker: friend_gating::only_friends_ring,
    },
    Invariant {
        id: "FG-2/FG-3/FG-4",
        name: "unfriending_ends_the_call",
        truth: "Within 2 s of an unfriend or block the pair's call is over at both devices, and no media, acceptance or \
                relay credential follows.",
        foreign: true,
        mutants: &[Mutant::V22, Mutant::V138],
        checker: friend_gating::unfriending_ends_the_call,
    },
    Invariant {
        id: "FG-7",
        name: "refusals_are_alike",
        truth: "Whoever may not ring somebody is refused with the same bytes after the same time, whatever the reason and \
                whatever the other one does. Judged where the server had nothing else to do.",
        foreign: true,
        mutants: &[Mutant::V126],
        checker: refusals::refusals_are_alike,
    },
    Invariant {
        id: "PRV-5",
        name: "strangers_learn_nothing",
        truth: "Whoever is no friend is answered with the same bytes after the same time whatever the other one does: \
                presence, calls, devices and keys do not show. Judged where the server was at rest.",
        foreign: true,
        mutants: &[Mutant::V17],
        checker: strangers::strangers_learn_nothing,
    },
    Invariant {
        id: "RL-1",
        name: "rings_are_limited",
        truth: "Nobody rings another more than 3 times a minute and 10 times an hour, whatever becomes of the calls, and \
                all who are not on a user's list of close friends ring at most 30 times an hour.",
        foreign: false,
        mutants: &[Mutant::V113],
        checker: rates::rings_are_limited,
    },
    Invariant {
        id: "RL-2",
        name: "lookups_are_limited",
        truth: "Within an hour an account learns of at most 30 handles whether they exist, 60 are told to one address, and \
                at most 60 accounts are told of one.",
        foreign: false,
        mutants: &[Mutant::V105],
        checker: rates::lookups_are_limited,
    },
    Invariant {
        id: "RL-3",
        name: "only_friends_get_keys",
        truth: "A device is given the keys of its user's friends, and of nobody else.",
        foreign: false,
        mutants: &[Mutant::V107],
        checker: strangers::only_friends_get_keys,
    },
    Invariant {
        id: "PRV-10",
        name: "settings_are_obeyed",
        truth: "Nobody rings or gets through whom the callee's setting does not let call, and when somebody was last there \
                is told to exactly those whom the setting lets know.",
        foreign: true,
        mutants: &[Mutant::V151, Mutant::V152],
        checker: settings::settings_are_obeyed,
    },
    Invariant {
        id: "PRV-3b",
        name: "no_name_in_clear",
        truth: "No description of a side of a call and no clear part of its packets holds the name of a user or device, and \
                no CNAME serves two calls.",
        foreign: false,
        mutants: &[Mutant::V68],
        checker: names::no_name_in_clear,
    },
    Invariant {
        id: "CON-1/CON-2",
        name: "nothing_before_accept",
        truth: "Camera and microphone are switched on, and media sent, only after the device's own user called or \
                accepted with those tracks.",
        foreign: false,
        mutants: &[Mutant::V02, Mutant::V03, Mutant::V05, Mutant::V11, Mutant::V12],
        checker: consent::nothing_before_accept,
    },
    Invariant {
        id: "CON-3/CON-4",
        name: "nothing_parsed_or_sent_before_accept",
        truth: "While it rings, a device enters no parser of the offer, asks for no name in it and sends nothing but signaling.",
        foreign: false,
        mutants: &[Mutant::V04, Mutant::V70, Mutant::V84],
        checker: consent::nothing_parsed_or_sent_before_accept,
    },
    Invariant {
        id: "CON-5/CON-6",
        name: "nothing_captured_while_off",
        truth: "From when its user switches camera or microphone off, or the operating system denies it, until it is switched \
                on again, the device is closed, and what is sent of the track has no content.",
        foreign: false,
        mutants: &[Mutant::V07],
        checker: off::nothing_captured_while_off,
    },
    Invariant {
        id: "CON-7",
        name: "no_peer_starts_a_track",
        truth: "A camera or microphone that was closed during a call opens again only when the device's own user says so.",
        foreign: false,
        mutants: &[Mutant::V34, Mutant::V156],
        checker: agreement::no_peer_starts_a_track,
    },
    Invariant {
        id: "CON-8",
        name: "media_stops_after_hangup",
        truth: "A device sends no media later than 500 ms after its user hung up or it was told of the end.",
        foreign: true,
        mutants: &[Mutant::V129],
        checker: consent::media_stops_after_hangup,
    },
    Invariant {
        id: "CNF-1",
        name: "media_unreadable",
        truth: "No part of an encoder's output outside the declared clear bytes appears on the wire, above SRTP, at a \
                server or in a log.",
        foreign: true,
        mutants: &[Mutant::V136],
        checker: confidentiality::media_unreadable,
    },
    Invariant {
        id: "CNF-2",
        name: "relay_and_server_hold_no_key",
        truth: "No frame key or private key appears in any view but its holder's, and nothing that a server saw opens a \
                frame.",
        foreign: false,
        mutants: &[Mutant::V41],
        checker: confidentiality::relay_and_server_hold_no_key,
    },
    Invariant {
        id: "CNF-7",
        name: "no_credential_in_foreign_views",
        truth: "No password, session token or relay password appears in any view but its owner's and its issuer's.",
        foreign: false,
        mutants: &[Mutant::V130],
        checker: confidentiality::no_credential_in_foreign_views,
    },
    Invariant {
        id: "INT-1",
        name: "tampering_is_rejected",
        truth: "A frame that was changed between SRTP and the frame encryption is refused before the decoder.",
        foreign: false,
        mutants: &[Mutant::V59],
        checker: integrity::tampering_is_rejected,
    },
    Invariant {
        id: "INT-3",
        name: "frames_come_from_their_sender",
        truth: "What a decoder is given is what that sender's encoder made, and the mark in the picture names the \
                sender of the tile and the frame.",
        foreign: false,
        mutants: &[Mutant::V135],
        checker: integrity::frames_come_from_their_sender,
    },
    Invariant {
        id: "INT-4",
        name: "replayed_frames_are_rejected",
        truth: "Each frame is decoded and rendered at most once, whatever is replayed.",
        foreign: false,
        mutants: &[Mutant::V52],
        checker: integrity::replayed_frames_are_rejected,
    },
    Invariant {
        id: "KH-1",
        name: "no_nonce_twice",
        truth: "No key seals two frames under one nonce.",
        foreign: false,
        mutants: &[Mutant::V48],
        checker: key_hygiene::no_nonce_twice,
    },
    Invariant {
        id: "ID-1",
        name: "fingerprint_swap_ends_the_call",
        truth: "When signaling replaces an offer, an answer or its fingerprint, the call ends as a security failure and \
                nothing of it is rendered.",
        foreign: false,
        mutants: &[Mutant::V42],
        checker: identity::fingerprint_swap_ends_the_call,
    },
    Invariant {
        id: "PH-1",
        name: "look_alikes_are_marked",
        truth: "A ring screen warns of a caller whose name can be taken for a friend's or the service's, and of no other.",
        foreign: true,
        mutants: &[Mutant::V108],
        checker: impersonation::look_alikes_are_marked,
    },
    Invariant {
        id: "PH-2",
        name: "links_show_their_host",
        truth: "A link in a message is shown by the host that a tap reaches, and opens by HTTPS or not at all.",
        foreign: true,
        mutants: &[Mutant::V109],
        checker: content::links_show_their_host,
    },
    Invariant {
        id: "PH-3",
        name: "nothing_is_fetched_on_receipt",
        truth: "Looking at a message asks no third party for anything: no preview, no picture, no map.",
        foreign: true,
        mutants: &[Mutant::V110, Mutant::V115],
        checker: content::nothing_is_fetched_on_receipt,
    },
    Invariant {
        id: "PH-4",
        name: "links_only_ask",
        truth: "A link that is opened begins no call and opens no track before the user calls or accepts.",
        foreign: false,
        mutants: &[Mutant::V06],
        checker: screens::links_only_ask,
    },
    Invariant {
        id: "PH-5",
        name: "ring_screen_shows_the_roster",
        truth: "A ring screen names the user and the device that called, and the tracks that they called with, whatever the \
                caller writes.",
        foreign: false,
        mutants: &[Mutant::V111],
        checker: screens::ring_screen_shows_the_roster,
    },
    Invariant {
        id: "ID-5",
        name: "changed_identities_are_shown",
        truth: "A ring screen says whether the caller's devices are those that the user verified, are others since then, or \
                were never compared.",
        foreign: false,
        mutants: &[Mutant::V155],
        checker: screens::changed_identities_are_shown,
    },
    Invariant {
        id: "PH-6",
        name: "card_numbers_are_warned_of",
        truth: "Who writes a card number to somebody unverified is asked once more, on the own device alone, before it \
                goes.",
        foreign: false,
        mutants: &[Mutant::V120],
        checker: content::card_numbers_are_warned_of,
    },
    Invariant {
        id: "PRV-4",
        name: "pictures_carry_no_metadata",
        truth: "A picture leaves a device without place, time, device or anything else that its camera wrote into it.",
        foreign: false,
        mutants: &[Mutant::V116],
        checker: content::pictures_carry_no_metadata,
    },
    Invariant {
        id: "DM-1",
        name: "threads_read_alike",
        truth: "Every device of both users comes to show each message and call of a thread, as it was written and in the \
                order of the store.",
        foreign: false,
        mutants: &[Mutant::V158],
        checker: threads::threads_read_alike,
    },
    Invariant {
        id: "DM-2",
        name: "strangers_ask_before_they_write",
        truth: "A message comes into a thread only between friends, or where who gets it agreed to read it.",
        foreign: false,
        mutants: &[Mutant::V157],
        checker: threads::strangers_ask_before_they_write,
    },
    Invariant {
        id: "DM-3",
        name: "receipts_are_the_readers_choice",
        truth: "How far a message came is told by friends only, and that it was read only by who tells that.",
        foreign: false,
        mutants: &[Mutant::V160],
        checker: threads::receipts_are_the_readers_choice,
    },
    Invariant {
        id: "DM-4",
        name: "message_texts_are_sealed",
        truth: "What is written lies nowhere but on the devices of its two users: on no wire, at no server, in no log.",
        foreign: false,
        mutants: &[Mutant::V159],
        checker: confidentiality::message_texts_are_sealed,
    },
    Invariant {
        id: "PRV-1",
        name: "relay_only_hides_addresses",
        truth: "The peer of a user who hides the own addresses sees none of them, and before an accept no peer sees any.",
        foreign: true,
        mutants: &[Mutant::V71, Mutant::V73],
        checker: privacy::relay_only_hides_addresses,
    },
    Invariant {
        id: "FG-8",
        name: "relay_credentials_follow_accept",
        truth: "A relay credential is issued, and told, to the two ends of an accepted call only.",
        foreign: false,
        mutants: &[Mutant::V128],
        checker: friend_gating::relay_credentials_follow_accept,
    },
    Invariant {
        id: "PRV-2",
        name: "no_address_to_others",
        truth: "Signaling never hands the address of one user's device to another.",
        foreign: true,
        mutants: &[Mutant::V74],
        checker: privacy::no_address_to_others,
    },
    Invariant {
        id: "PRV-3",
        name: "pushes_name_nobody",
        truth: "A push service learns of no user, device or call: every push says the same, to a token that says nothing.",
        foreign: true,
        mutants: &[Mutant::V112],
        checker: push::pushes_name_nobody,
    },
    Invariant {
        id: "PRV-8",
        name: "a_locked_device_shows_the_caller_only",
        truth: "A locked device shows who calls and the call, none of its threads, and lets nobody begin a call.",
        foreign: false,
        mutants: &[Mutant::V09],
        checker: screens::a_locked_device_shows_the_caller_only,
    },
    Invariant {
        id: "PRV-6",
        name: "relay_sends_to_who_authenticated",
        truth: "A relay passes what peers send on to an address that authenticated and allocated, and to no other.",
        foreign: true,
        mutants: &[Mutant::V79],
        checker: relays::relay_sends_to_who_authenticated,
    },
    Invariant {
        id: "AV-2",
        name: "off_path_attackers_cannot_disturb",
        truth: "Who is off the path, can spoof sources and knows no secret cannot end a call, stall it for more than 1 s, \
                keep it from connecting or redirect its media.",
        foreign: true,
        mutants: &[Mutant::V78, Mutant::V83, Mutant::V88],
        checker: third_parties::off_path_attackers_cannot_disturb,
    },
    Invariant {
        id: "AV-4",
        name: "quotas_hold",
        truth: "No user holds more than 8 allocations at a relay, and no peer makes a device encode more than 8 key frames \
                within 2 s.",
        foreign: false,
        mutants: &[Mutant::V77, Mutant::V92],
        checker: relays::quotas_hold,
    },
    Invariant {
        id: "AV-5",
        name: "relay_refuses_special_use_peers",
        truth: "A relay sends nothing to an address that is none of the public Internet, and nothing reaches a service \
                inside its network.",
        foreign: true,
        mutants: &[Mutant::V75, Mutant::V76],
        checker: relays::relay_refuses_special_use_peers,
    },
    Invariant {
        id: "AV-6",
        name: "unanswered_addresses_are_spared",
        truth: "A device checks at most 100 addresses that never answer, at the pace of ICE, and sends nothing to an \
                address 30 s after its last answer.",
        foreign: true,
        mutants: &[Mutant::V81, Mutant::V82],
        checker: third_parties::unanswered_addresses_are_spared,
    },
    Invariant {
        id: "SM-1/SM-2",
        name: "only_listed_transitions",
        truth: "A device's call machine moves only as its table lists, and by what a peer says into a hold at most.",
        foreign: false,
        mutants: &[Mutant::V124],
        checker: agreement::only_listed_transitions,
    },
    Invariant {
        id: "SM-5",
        name: "server_and_devices_agree",
        truth: "Within 3 s, over a bad network 35 s, a call that is over or live at the server is so at its devices: none \
                rings with no caller behind it, and nobody accepts in another's place.",
        foreign: false,
        mutants: &[Mutant::V10, Mutant::V15, Mutant::V150],
        checker: agreement::server_and_devices_agree,
    },
    Invariant {
        id: "SM-6",
        name: "one_call_of_two_at_a_time",
        truth: "Two users have at most one call with each other, also when both call at once.",
        foreign: true,
        mutants: &[Mutant::V13],
        checker: agreement::one_call_of_two_at_a_time,
    },
    Invariant {
        id: "SM-8",
        name: "no_ring_older_than_a_minute",
        truth: "No device rings later than 60 s after the invite by the server's clock.",
        foreign: false,
        mutants: &[Mutant::V16],
        checker: agreement::no_ring_older_than_a_minute,
    },
    Invariant {
        id: "ACC-1",
        name: "passwords_are_strong",
        truth: "Nobody gets a password of fewer than 8 characters, more than 256 bytes or a zxcvbn score below 3: not with the \
                account, not by a change, not by a reset.",
        foreign: false,
        mutants: &[Mutant::V121],
        checker: passwords::passwords_are_strong,
    },
    Invariant {
        id: "ACC-2",
        name: "guesses_are_throttled",
        truth: "Within an hour no account takes more than 10 wrong passwords or gets more than 5 one-time codes, and of a \
                code at most 5 tries are looked at, for 10 minutes, until one fits: wherever they come from.",
        foreign: false,
        mutants: &[Mutant::V100],
        checker: accounts::guesses_are_throttled,
    },
    Invariant {
        id: "ACC-3",
        name: "revoked_devices_are_out",
        truth: "A device that is logged out, or whose session ended with the password, does nothing from then on, is told \
                within 1 s, and is in no call.",
        foreign: false,
        mutants: &[Mutant::V103],
        checker: accounts::revoked_devices_are_out,
    },
    Invariant {
        id: "ACC-4/ID-7",
        name: "new_devices_are_confirmed",
        truth: "A device that signs in to an account shows on the user's others within 5 s and neither rings, calls nor \
                answers before one of them confirms it, and no device takes a list of devices that does not extend the \
                last one that it saw.",
        foreign: false,
        mutants: &[Mutant::V102],
        checker: accounts::new_devices_are_confirmed,
    },
    Invariant {
        id: "ACC-5",
        name: "tokens_act_for_their_subject",
        truth: "What happens in a user's name was asked for by a device of that user, on every route.",
        foreign: false,
        mutants: &[Mutant::V101],
        checker: subjects::tokens_act_for_their_subject,
    },
    Invariant {
        id: "SM-4/SM-7",
        name: "one_device_answers",
        truth: "When one device of a user answers, the others stop ringing within 1 s, and no two of them are in the call \
                at a time.",
        foreign: false,
        mutants: &[Mutant::V14],
        checker: devices::one_device_answers,
    },
    Invariant {
        id: "SM-9",
        name: "every_ring_leaves_a_row",
        truth: "When a call that rang is over, every device of both users comes to have its row, within 10 s while \
                signaling can reach it, and all have the same.",
        foreign: false,
        mutants: &[Mutant::V72],
        checker: devices::every_ring_leaves_a_row,
    },
    Invariant {
        id: "DUR-1",
        name: "acknowledged_changes_survive_a_crash",
        truth: "What somebody was told of a friendship, a block or a session is still so when the server starts again \
                after a crash.",
        foreign: false,
        mutants: &[Mutant::V117],
        checker: durability::acknowledged_changes_survive_a_crash,
    },
    Invariant {
        id: "DUR-2",
        name: "recovered_graph_is_a_prefix",
        truth: "After a crash the friend graph is what it once was: that of some first part of its history, with no half \
                of a change.",
        foreign: false,
        mutants: &[Mutant::V122],
        checker: durability::recovered_graph_is_a_prefix,
    },
    Invariant {
        id: "DUR-3",
        name: "server_rollback_is_noticed",
        truth: "A device that was told of a state of the server's store signs in to no older one, and says so; it takes no \
                other restart for that.",
        foreign: false,
        mutants: &[Mutant::V118],
        checker: rollback::server_rollback_is_noticed,
    },
    Invariant {
        id: "SM-10",
        name: "every_call_ends",
        truth: "Every call becomes live or ends within the limit of what it waits for, and always names what that is.",
        foreign: false,
        mutants: &[Mutant::V125],
        checker: call_machine::every_call_ends,
    },
    Invariant {
        id: "PATH-1",
        name: "direct_path_used_when_open",
        truth: "When the NATs leave a direct path open, media takes it within 5 s of connecting and stays on it.",
        foreign: false,
        mutants: &[Mutant::V132],
        checker: path::direct_path_used_when_open,
    },
    Invariant {
        id: "PATH-2",
        name: "direct_is_not_slower_than_relayed",
        truth: "With the same seed the median time from sensor to screen is not longer over the direct path than over the \
                relay, unless the relay lies on the direct path.",
        foreign: true,
        mutants: &[Mutant::V137],
        checker: path::direct_is_not_slower_than_relayed,
    },
    Invariant {
        id: "MED-1",
        name: "legs_sum_to_glass_to_glass",
        truth: "The legs of each rendered frame, each measured by its owner, add up exactly to the time from sensor to \
                screen.",
        foreign: false,
        mutants: &[Mutant::V133],
        checker: path::legs_sum_to_glass_to_glass,
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_mutant_has_one_invariant_that_it_must_break() {
        let killers: Vec<Mutant> = INVARIANTS.iter().flat_map(|invariant| invariant.mutants).copied().collect();
        let different: BTreeSet<Mutant> = killers.iter().copied().collect();
        assert_eq!(killers.len(), different.len());
        assert_eq!(different, Mutant::ALL.iter().copied().collect());
    }

    #[test]
    fn names_and_ids_are_unique() {
        let names: BTreeSet<&str> = INVARIANTS.iter().map(|invariant| invariant.name).collect();
        let ids: BTreeSet<&str> = INVARIANTS.iter().flat_map(|invariant| invariant.id.split('/')).collect();
        assert_eq!(names.len(), INVARIANTS.len());
        assert_eq!(ids.len(), INVARIANTS.iter().map(|invariant| invariant.id.split('/').count()).sum::<usize>());
    }
}
