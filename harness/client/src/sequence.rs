//! Which sealed messages of the peer came already: each counts once, in whatever order they come.

/// Messages that may be overtaken and still count.
const WINDOW: u32 = 64;

/// The newest sequence number, and which of those before it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SequenceWindow {
    newest: Option<u32>,
    /// Bit n: the message n before the newest came.
    came: u64,
}

impl SequenceWindow {
    /// The peer's description has this number: nothing before it counts.
    pub(crate) fn begin(&mut self, sequence: u32) {
        *self = SequenceWindow { newest: Some(sequence), came: u64::MAX };
    }

    /// Whether a message of this number has not come yet and is not too old.
    pub(crate) fn is_new(&self, sequence: u32) -> bool {
        let Some(newest) = self.newest else { return true };
        match newest.checked_sub(sequence) {
            None => true,
            Some(age) => age < WINDOW && self.came & (1 << age) == 0,
        }
    }

    /// A message of this number came and opened.
    pub(crate) fn note(&mut self, sequence: u32) {
        let newest = self.newest.unwrap_or(sequence);
        if sequence > newest {
            self.came = self.came.checked_shl(sequence - newest).unwrap_or(0);
        }
        let newest = newest.max(sequence);
        self.newest = Some(newest);
        if newest - sequence < WINDOW {
            self.came |= 1 << (newest - sequence);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_counts_once_in_any_order() {
        let mut window = SequenceWindow::default();
        window.begin(3);
        let came = [5, 4, 5, 3, 2, 7, 6, 4].map(|sequence| {
            let is_new = window.is_new(sequence);
            if is_new {
                window.note(sequence);
            }
            is_new
        });
        assert_eq!(came, [true, true, false, false, false, true, true, false]);
    }

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let mut window = SequenceWindow::default();
        window.note(100);
        assert!(window.is_new(37) && !window.is_new(36) && !window.is_new(0));
        window.note(u32::MAX);
        assert!(!window.is_new(100) && window.is_new(u32::MAX - 63));
    }
}
