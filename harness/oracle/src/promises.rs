//! The promises of a calling system, each with what proves it.

/// What a calling system promises to those who use it.
#[derive(Clone, Copy, Debug)]
pub struct Promise {
    /// Stable id, as `R07`.
    pub id: &'static str,
    /// The promise in a sentence.
    pub truth: &'static str,
    /// The invariants that prove it, by name.
    pub invariants: &'static [&'static str],
    /// The metrics whose thresholds prove it: a scenario that states one for such a metric counts.
    pub metrics: &'static [&'static str],
}

/// Every promise, in order.
pub const PROMISES: &[Promise] = &[
    Promise {
        id: "R01",
        truth: "A call is part of a conversation: it rings every signed-in device of the callee, ends for all of them, and \
                leaves its row with both.",
        invariants: &[
            "every_call_ends",
            "one_device_answers",
            "every_ring_leaves_a_row",
            "server_and_devices_agree",
            "one_call_of_two_at_a_time",
            "no_ring_older_than_a_minute",
            "threads_read_alike",
        ],
        metrics: &[],
    },
    Promise {
        id: "R02",
        truth: "Friends see and hear each other in real time.",
        invariants: &["frames_come_from_their_sender", "legs_sum_to_glass_to_glass"],
        metrics: &["setup_us", "glass_to_glass_us_p95", "mouth_to_ear_us_p95", "harmonic_fps_milli"],
    },
    Promise {
        id: "R03",
        truth: "Nothing is captured before consent, and nothing while camera or microphone is off.",
        invariants: &[
            "nothing_before_accept",
            "nothing_captured_while_off",
            "no_peer_starts_a_track",
            "media_stops_after_hangup",
            "links_only_ask",
        ],
        metrics: &[],
    },
    Promise {
        id: "R04",
        truth: "Media takes a direct path where one exists, which is no slower than the relay, and the relay where none does.",
        invariants: &["direct_path_used_when_open", "direct_is_not_slower_than_relayed"],
        metrics: &["relayed_ppm", "reconnect_us"],
    },
    Promise {
        id: "R05",
        truth: "What is intercepted is unreadable.",
        invariants: &["media_unreadable", "no_nonce_twice", "no_credential_in_foreign_views"],
        metrics: &[],
    },
    Promise {
        id: "R06",
        truth: "Only the participants see and hear: no relay, server or stored byte ever can.",
        invariants: &[
            "relay_and_server_hold_no_key",
            "tampering_is_rejected",
            "replayed_frames_are_rejected",
            "fingerprint_swap_ends_the_call",
            "message_texts_are_sealed",
            "pictures_arrive_as_they_left",
        ],
        metrics: &[],
    },
    Promise {
        id: "R07",
        truth: "Only friends can start a call, the recipient accepts or declines, and nothing flows before that.",
        invariants: &[
            "only_friends_ring",
            "rings_are_limited",
            "unfriending_ends_the_call",
            "nothing_before_accept",
            "nothing_parsed_or_sent_before_accept",
            "only_listed_transitions",
            "relay_credentials_follow_accept",
            "acknowledged_changes_survive_a_crash",
            "recovered_graph_is_a_prefix",
            "server_rollback_is_noticed",
        ],
        metrics: &[],
    },
    Promise {
        id: "R08",
        truth: "In a group call only members take part; who joins cannot read the past, who leaves not the future.",
        invariants: &[],
        metrics: &[],
    },
    Promise {
        id: "R09",
        truth: "Accounts withstand guessing, theft of sessions and unknown devices.",
        invariants: &[
            "passwords_are_strong",
            "guesses_are_throttled",
            "revoked_devices_are_out",
            "new_devices_are_confirmed",
            "tokens_act_for_their_subject",
            "server_rollback_is_noticed",
            "no_credential_in_foreign_views",
        ],
        metrics: &[],
    },
    Promise {
        id: "R10",
        truth: "Nobody passes for somebody else: forged names, links and keys are seen before a call is accepted.",
        invariants: &[
            "fingerprint_swap_ends_the_call",
            "look_alikes_are_marked",
            "links_show_their_host",
            "strangers_ask_before_they_write",
            "links_only_ask",
            "ring_screen_shows_the_roster",
            "changed_identities_are_shown",
        ],
        metrics: &[],
    },
    Promise {
        id: "R11",
        truth: "Addresses, names and places stay with those whom they are meant for.",
        invariants: &[
            "relay_only_hides_addresses",
            "no_address_to_others",
            "relay_sends_to_who_authenticated",
            "refusals_are_alike",
            "nothing_is_fetched_on_receipt",
            "pictures_carry_no_metadata",
            "avatars_are_for_friends",
            "strangers_learn_nothing",
            "only_friends_get_keys",
            "lookups_are_limited",
            "no_name_in_clear",
            "pushes_name_nobody",
            "a_locked_device_shows_the_caller_only",
        ],
        metrics: &[],
    },
    Promise {
        id: "R12",
        truth: "A client below the minimum version cannot call, and nobody can talk two clients down to less.",
        invariants: &[],
        metrics: &[],
    },
    Promise {
        id: "R13",
        truth: "Each privacy setting is obeyed.",
        invariants: &["relay_only_hides_addresses", "settings_are_obeyed", "receipts_are_the_readers_choice"],
        metrics: &[],
    },
    Promise {
        id: "R14",
        truth: "Who is about to send a card number to an unverified contact is warned, on the own device alone.",
        invariants: &["card_numbers_are_warned_of"],
        metrics: &[],
    },
    Promise {
        id: "R15",
        truth: "Hostile bytes and hostile peers crash, stall or exhaust no endpoint and no relay.",
        invariants: &[
            "off_path_attackers_cannot_disturb",
            "quotas_hold",
            "relay_refuses_special_use_peers",
            "unanswered_addresses_are_spared",
        ],
        metrics: &[],
    },
    Promise {
        id: "R16",
        truth: "Latency is low and quality good on the networks that people have.",
        invariants: &["legs_sum_to_glass_to_glass"],
        metrics: &["glass_to_glass_us_p95", "mouth_to_ear_us_p95", "freeze_total_us", "psnr_y_mdb_p5"],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{INVARIANTS, metric_names};
    use std::collections::BTreeSet;

    #[test]
    fn every_invariant_proves_a_promise() {
        let proving: BTreeSet<&str> = PROMISES.iter().flat_map(|promise| promise.invariants).copied().collect();
        assert_eq!(proving, INVARIANTS.iter().map(|invariant| invariant.name).collect());
    }

    #[test]
    fn the_metrics_of_promises_exist() {
        let known: BTreeSet<String> = metric_names().collect();
        let named = PROMISES.iter().flat_map(|promise| promise.metrics);
        let unknown: Vec<&&str> = named.filter(|name| !known.contains(**name)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn ids_count_up() {
        assert!(PROMISES.iter().zip(1..).all(|(promise, number)| promise.id == format!("R{number:02}")));
    }
}
