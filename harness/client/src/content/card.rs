//! Card numbers in a text: 13 to 19 digits whose last one is their check digit (ISO/IEC 7812-1, Luhn).

const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// Whether a text holds what may be the number of a card. Spaces and hyphens between its digits count for nothing.
pub(crate) fn is_in(text: &str) -> bool {
    let mut digits = Vec::new();
    let mut runs = vec![];
    for letter in text.chars().chain(['.']) {
        match letter.to_digit(10) {
            Some(digit) => digits.push(digit),
            None if matches!(letter, ' ' | '-' | '\u{a0}') && !digits.is_empty() => {}
            None => runs.push(std::mem::take(&mut digits)),
        }
    }
    runs.iter().any(|run| DIGITS.contains(&run.len()) && is_checked(run))
}

/// Whether the last digit is the check digit of those before it.
fn is_checked(digits: &[u32]) -> bool {
    let weighed = digits.iter().rev().zip([1, 2].into_iter().cycle()).map(|(digit, weight)| {
        let product = digit * weight;
        if product > 9 { product - 9 } else { product }
    });
    weighed.sum::<u32>() % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_cards_are_found_however_they_are_written() {
        // Numbers that payment networks publish for tests.
        for text in [
            "4111111111111111",
            "my card is 4111 1111 1111 1111, ok?",
            "5555-5555-5555-4444",
            "amex 378282246310005",
            "4222222222222",
            "6304000000000000000",
        ] {
            assert!(is_in(text), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_not() {
        for text in [
            "",
            "4111111111111112",
            "call me: +49 30 123456",
            "411111111111",
            "41111111111111111111",
            "1/2/3/4/5/6/7/8/9/0/1/2/3",
            "one 4111 two 1111 three 1111 four 1111",
        ] {
            assert!(!is_in(text), "{text}");
        }
    }
}
