//! The names that scenarios may use, as the other rooms will give them.

use kernel::{
    plan::{LinkPlan, NatPlan, RateTrace},
    time::{BitRate, Micros},
};
use scenarios::{AccessPreset, Vocabulary};
use std::collections::BTreeMap;

const PRESETS: &[(&str, u64)] =
    &[("lan", 1_000), ("home-wifi", 20), ("lossy-wifi", 10), ("lte-good", 10), ("corporate-firewall", 100)];

const INVARIANTS: &[&str] = &[
    "only_friends_ring",
    "unfriending_ends_the_call",
    "nothing_before_accept",
    "nothing_parsed_or_sent_before_accept",
    "nothing_captured_while_off",
    "no_peer_starts_a_track",
    "media_stops_after_hangup",
    "media_unreadable",
    "relay_and_server_hold_no_key",
    "no_credential_in_foreign_views",
    "tampering_is_rejected",
    "frames_come_from_their_sender",
    "replayed_frames_are_rejected",
    "no_nonce_twice",
    "fingerprint_swap_ends_the_call",
    "look_alikes_are_marked",
    "links_show_their_host",
    "nothing_is_fetched_on_receipt",
    "card_numbers_are_warned_of",
    "pictures_carry_no_metadata",
    "threads_read_alike",
    "strangers_ask_before_they_write",
    "receipts_are_the_readers_choice",
    "message_texts_are_sealed",
    "pictures_arrive_as_they_left",
    "avatars_are_for_friends",
    "links_only_ask",
    "ring_screen_shows_the_roster",
    "changed_identities_are_shown",
    "pushes_name_nobody",
    "a_locked_device_shows_the_caller_only",
    "relay_only_hides_addresses",
    "relay_credentials_follow_accept",
    "no_address_to_others",
    "relay_sends_to_who_authenticated",
    "off_path_attackers_cannot_disturb",
    "quotas_hold",
    "relay_refuses_special_use_peers",
    "unanswered_addresses_are_spared",
    "only_listed_transitions",
    "server_and_devices_agree",
    "one_call_of_two_at_a_time",
    "no_ring_older_than_a_minute",
    "passwords_are_strong",
    "guesses_are_throttled",
    "revoked_devices_are_out",
    "new_devices_are_confirmed",
    "tokens_act_for_their_subject",
    "server_rollback_is_noticed",
    "one_device_answers",
    "every_ring_leaves_a_row",
    "refusals_are_alike",
    "strangers_learn_nothing",
    "rings_are_limited",
    "lookups_are_limited",
    "only_friends_get_keys",
    "settings_are_obeyed",
    "no_name_in_clear",
    "acknowledged_changes_survive_a_crash",
    "recovered_graph_is_a_prefix",
    "every_call_ends",
    "direct_path_used_when_open",
    "direct_is_not_slower_than_relayed",
    "legs_sum_to_glass_to_glass",
];

const METRICS: &[&str] = &[
    "setup_us",
    "handover_us",
    "setup_first_audio_us",
    "path_kind",
    "glass_to_glass_us_p95",
    "mouth_to_ear_us_p95",
    "freeze_count",
    "reconnect_us",
    "freeze_total_us",
    "pause_count",
    "reconnects",
    "followers_shown",
    "resume_us_max",
    "off_known_us_max",
    "concealed_ppm",
    "fair_share_us_max",
    "priority_share_ppm_p50",
    "ecn_capable_ppm",
    "of_clean_feedback_ppm",
    "loss_ppm",
    "harmonic_fps_milli",
    "psnr_y_mdb_p5",
    "ssim_y_ppm_p5",
    "utilization_ppm",
    "frames_without_legs",
    "oscillations",
    "link_carried_ppm",
    "goodput_bps",
    "queue_delay_us_p95",
    "loss_after_repair_ppm",
    "fairness_20s_ppm_p5",
    "fairness_5s_ppm_p5",
    "fairness_1s_ppm_p5",
    "convergence_us_max",
    "link_utilization_ppm",
    "relayed_ppm",
    "video_sent_bps",
];

/// A vocabulary with round figures in its presets.
pub(crate) fn vocabulary() -> Vocabulary {
    let preset = |mbps: u64| {
        let link = LinkPlan {
            rate: Some(BitRate::from_mbps(mbps)),
            queue_bytes: 64_000,
            propagation: Micros::from_millis(10),
            ..LinkPlan::IDEAL
        };
        AccessPreset { up: link.clone(), down: link, nat: Some(NatPlan::PORT_RESTRICTED), schedule: Vec::new() }
    };
    Vocabulary {
        presets: PRESETS.iter().map(|(name, mbps)| (name.to_string(), preset(*mbps))).collect(),
        invariants: INVARIANTS.iter().map(|name| name.to_string()).collect(),
        metrics: METRICS.iter().map(|name| name.to_string()).collect(),
        service_words: vec!["security".into(), "support".into()],
        traces: BTreeMap::from([("driving".to_owned(), RateTrace::parse("driving", "5\n10\n").unwrap())]),
    }
}
