//! Pictures for the page: sent | received | difference, as PNG inside the page.

use crate::{
    contact_sheet::{Rgb, row, spread},
    metric_name::{human, instant},
    run::Run,
};
use kernel::{artifact::Picture, event::Event};

/// More pictures make the page heavy; the others are on the contact sheet.
const MAX_ROWS: usize = 8;

/// A picture as it was sent and as it was seen.
pub(crate) struct PictureView {
    pub(crate) title: String,
    pub(crate) at: String,
    pub(crate) quality: String,
    pub(crate) sent: String,
    pub(crate) received: String,
    pub(crate) difference: String,
}

pub(crate) fn collect(run: &Run<'_>) -> Vec<PictureView> {
    spread(&run.facts.pictures, MAX_ROWS).into_iter().filter_map(|picture| view(run, picture)).collect()
}

fn view(run: &Run<'_>, picture: &Picture) -> Option<PictureView> {
    let [sent, received, difference] = row(picture)?;
    Some(PictureView {
        title: format!("{} → {}, frame {}", picture.sender, picture.device, picture.frame),
        at: instant(picture.at),
        quality: quality(run, picture),
        sent: data_uri(&sent)?,
        received: data_uri(&received)?,
        difference: data_uri(&difference)?,
    })
}

fn quality(run: &Run<'_>, picture: &Picture) -> String {
    let of_picture = |record: &kernel::Record| match &record.event {
        Event::PictureQuality(quality)
            if quality.frame == picture.frame
                && quality.device == picture.device
                && quality.sender == picture.sender =>
        {
            Some((i64::from(quality.psnr_y_mdb), i64::from(quality.ssim_y_ppm)))
        }
        _ => None,
    };
    match run.log.records.iter().find_map(of_picture) {
        Some((psnr, ssim)) => format!("PSNR {}, SSIM {}", human("psnr_y_mdb", psnr), human("ssim_y_ppm", ssim)),
        None => String::new(),
    }
}

fn data_uri(picture: &Rgb) -> Option<String> {
    Some(format!("data:image/png;base64,{}", base64(&picture.png().ok()?)))
}

/// Standard base64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * i) & 63) as usize];
            text.push(if i <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_equals_the_vectors_of_rfc_4648() {
        let vectors =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        vectors.iter().for_each(|(bytes, text)| assert_eq!(base64(bytes.as_bytes()), *text));
    }
}
