//! Who used which key when, what was refused, and what the adversary did.

use crate::metric_name::instant;
use kernel::{
    Log, SimTime,
    event::{Event, OpenVerdict},
};
use std::collections::BTreeMap;

/// Rows of a table beyond these are left out.
const MAX_ROWS: usize = 40;

/// Keys and attacks of a run.
pub(crate) struct Security {
    pub(crate) keys: Vec<Key>,
    pub(crate) refused: Vec<Refused>,
    pub(crate) attacks: Vec<AttackRow>,
    pub(crate) numbers: Vec<(String, String)>,
}

/// What a device did with a key.
pub(crate) struct Key {
    pub(crate) key: String,
    pub(crate) device: String,
    pub(crate) sealed: u64,
    pub(crate) opened: u64,
    pub(crate) first: String,
    pub(crate) last: String,
    pub(crate) erased: String,
}

/// Frames that a device refused.
pub(crate) struct Refused {
    pub(crate) device: String,
    pub(crate) verdict: &'static str,
    pub(crate) count: u64,
}

/// What the adversary did.
pub(crate) struct AttackRow {
    pub(crate) at: String,
    pub(crate) kind: String,
    pub(crate) target: String,
    pub(crate) detail: String,
}

#[derive(Default)]
struct Use {
    sealed: u64,
    opened: u64,
    first: SimTime,
    last: SimTime,
    erased: Option<SimTime>,
}

pub(crate) fn collect(log: &Log) -> Security {
    let mut uses: BTreeMap<(&str, &str), Use> = BTreeMap::new();
    let mut refused: BTreeMap<(&str, OpenVerdict), u64> = BTreeMap::new();
    let mut attacks = Vec::new();
    let mut numbers: BTreeMap<String, String> = BTreeMap::new();
    for record in &log.records {
        match &record.event {
            Event::KeyUsed(used) => {
                let entry =
                    uses.entry((&used.key, used.device.as_str())).or_insert(Use { first: record.at, ..Use::default() });
                entry.sealed += u64::from(used.seals);
                entry.opened += u64::from(!used.seals);
                entry.last = record.at;
            }
            Event::KeyErased(erased) => {
                for key in &erased.keys {
                    if let Some(entry) = uses.get_mut(&(key.as_str(), erased.device.as_str())) {
                        entry.erased = Some(record.at);
                    }
                }
            }
            Event::Opened(opened) if opened.verdict != OpenVerdict::Accepted => {
                *refused.entry((opened.device.as_str(), opened.verdict)).or_default() += 1;
            }
            Event::Attack(attack) if attacks.len() < MAX_ROWS => attacks.push(AttackRow {
                at: instant(record.at),
                kind: snake(&attack.kind),
                target: attack.target.to_string(),
                detail: attack.detail.clone(),
            }),
            Event::Ui(ui) => {
                if let kernel::event::Screen::Live { safety_number, .. } = &ui.screen {
                    numbers.insert(ui.device.to_string(), safety_number.clone());
                }
            }
            _ => {}
        }
    }
    Security {
        keys: uses.into_iter().take(MAX_ROWS).map(key).collect(),
        refused: refused.into_iter().map(refused_row).collect(),
        attacks,
        numbers: numbers.into_iter().collect(),
    }
}

fn key(((key, device), used): ((&str, &str), Use)) -> Key {
    Key {
        key: key.into(),
        device: device.into(),
        sealed: used.sealed,
        opened: used.opened,
        first: instant(used.first),
        last: instant(used.last),
        erased: used.erased.map_or("not erased".into(), instant),
    }
}

fn refused_row(((device, verdict), count): ((&str, OpenVerdict), u64)) -> Refused {
    let verdict = match verdict {
        OpenVerdict::Accepted => "accepted",
        OpenVerdict::Forged => "forged",
        OpenVerdict::Replayed => "replayed",
        OpenVerdict::UnknownKey => "unknown key",
    };
    Refused { device: device.into(), verdict, count }
}

/// The name of an event's kind as in the saved log, in words.
fn snake(kind: &impl serde::Serialize) -> String {
    serde_json::to_value(kind).ok().and_then(|value| Some(value.as_str()?.replace('_', " "))).unwrap_or_default()
}
