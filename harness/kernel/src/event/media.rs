//! Events of frames on their way from camera and microphone to screen and speaker. Each leg of a frame's latency is
//! a duration measured by the part that spent it; oracle adds them up and never computes one as a remainder.

use crate::{
    log::BlobRef,
    names::{ActorName, CallId, Track, UserName},
    packet::PacketId,
    time::{BitRate, Micros, SimTime},
};
use serde::{Deserialize, Serialize};

/// A track was switched on or off.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CaptureSwitched {
    /// The device.
    pub device: ActorName,
    /// For which call.
    pub call: CallId,
    /// Camera or microphone.
    pub track: Track,
    /// On or off.
    pub on: bool,
}

/// A device learnt from a frame that its peer switched a track off, or on again. Frame encryption vouches for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeerSwitched {
    /// The device that learnt it.
    pub device: ActorName,
    /// The peer's device.
    pub sender: ActorName,
    /// Camera or microphone.
    pub track: Track,
    /// On or off.
    pub on: bool,
}

/// A frame was captured (for audio: a block of 20 ms).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Captured {
    /// The device.
    pub device: ActorName,
    /// Camera or microphone.
    pub track: Track,
    /// Frame number of the track, from 0; the number in the frame's mark.
    pub frame: u32,
    /// When light or sound met the sensor: the start of glass to glass.
    pub sensed_at: SimTime,
}

/// A frame was encoded. `bytes` is the secret that no foreign view may hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Encoded {
    /// The device.
    pub device: ActorName,
    /// Camera or microphone.
    pub track: Track,
    /// Frame number.
    pub frame: u32,
    /// Whether it is a key frame.
    pub key: bool,
    /// The encoder's output.
    pub bytes: BlobRef,
    /// Leg: sensor to encoder.
    pub capture: Micros,
    /// Leg: inside the encoder.
    pub encode: Micros,
}

/// A frame was dropped before it was sent, or after it was received.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FrameDropped {
    /// The device.
    pub device: ActorName,
    /// Camera or microphone.
    pub track: Track,
    /// Frame number where known: of the sender before encoding, the SFrame counter after it.
    pub frame: Option<u64>,
    /// Why: `encoder_busy`, `encoder_failed`, `not_sealed`, `stopped`, `over_rate`, `before_key_frame`,
    /// `missing_reference`, `late`, `switched_off`, `no_path`.
    pub reason: String,
}

/// A frame was encrypted end to end (view `hop`: what lies above SRTP).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sealed {
    /// The device.
    pub device: ActorName,
    /// Camera or microphone.
    pub track: Track,
    /// Frame number.
    pub frame: u32,
    /// SFrame counter under the track's key: joins sender and receiver.
    pub counter: u64,
    /// Bytes left in clear in front, by the codec table.
    pub clear_bytes: u32,
    /// What is handed to RTP.
    pub bytes: BlobRef,
    /// Leg: inside the frame encryption.
    pub encrypt: Micros,
}

/// An RTP packet of a frame left a device.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RtpSent {
    /// The device.
    pub device: ActorName,
    /// The datagram.
    pub packet: PacketId,
    /// Camera or microphone.
    pub track: Track,
    /// Frame number of the frame that the packet belongs to.
    pub frame: u32,
    /// RTP sequence number.
    pub sequence: u16,
    /// Leg: from the frame's hand-over to RTP until its own last packet first left the pacer, where this is that
    /// packet or a repair; for an earlier packet of the frame, until that packet left.
    pub pacer: Micros,
    /// Whether this is a retransmission.
    pub repair: bool,
    /// Leg: from the first time that the frame's last packet left until this retransmission left; zero without repair.
    pub repair_wait: Micros,
}

/// All packets of a frame are there (view `hop` of the receiver).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reassembled {
    /// The receiving device.
    pub device: ActorName,
    /// The sending device, by the path the packets came.
    pub sender: ActorName,
    /// Camera or microphone.
    pub track: Track,
    /// RTP timestamp.
    pub rtp_timestamp: u64,
    /// The datagram that completed the frame, where the stack knows it.
    pub completed_by: Option<PacketId>,
    /// What RTP handed over.
    pub bytes: BlobRef,
    /// Leg: from the arrival of the completing datagram until RTP handed the frame over.
    pub reassembly: Micros,
}

/// What frame decryption said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenVerdict {
    /// Authentic and new.
    Accepted,
    /// The tag or the header is wrong.
    Forged,
    /// Authentic, but seen before or too old for the replay window.
    Replayed,
    /// No key for it.
    UnknownKey,
}

/// A received frame was opened, or refused. Only an accepted one may reach a decoder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Opened {
    /// The receiving device.
    pub device: ActorName,
    /// The owner of the key that opened it; for a refused frame the peer it was taken for.
    pub sender: ActorName,
    /// The track of the key.
    pub track: Track,
    /// SFrame counter, where the header could be read.
    pub counter: Option<u64>,
    /// What was said.
    pub verdict: OpenVerdict,
    /// blake3 of the plaintext in its first 16 bytes, hexadecimal; empty when refused.
    pub hash: String,
    /// Leg: inside frame decryption.
    pub decrypt: Micros,
}

/// A frame went through the decoder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Decoded {
    /// The receiving device.
    pub device: ActorName,
    /// The owner of the key that opened it.
    pub sender: ActorName,
    /// Camera or microphone.
    pub track: Track,
    /// SFrame counter.
    pub counter: u64,
    /// Hash of what the decoder was given, as in [`Opened`].
    pub hash: String,
    /// Whether a picture or sound came out.
    pub output: bool,
    /// Leg: waiting in the jitter buffer and for the decoder.
    pub buffer: Micros,
    /// Leg: inside the decoder.
    pub decode: Micros,
}

/// The mark that the camera writes into each picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Number of the sender, as in the plan's list of participants.
    pub sender: u8,
    /// Frame number.
    pub frame: u32,
}

/// A new picture reached the screen. A repeated one during a freeze is not a render.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rendered {
    /// The receiving device.
    pub device: ActorName,
    /// Whose tile shows it.
    pub tile: UserName,
    /// The owner of the key that opened it.
    pub sender: ActorName,
    /// Which track's key.
    pub track: Track,
    /// SFrame counter.
    pub counter: u64,
    /// The mark read from the picture.
    pub mark: Option<Mark>,
    /// Leg: waiting after decoding for the time of rendering and the screen's refresh.
    pub render_wait: Micros,
}

/// A block of sound reached the speaker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AudioPlayed {
    /// The receiving device.
    pub device: ActorName,
    /// Whose sound.
    pub sender: ActorName,
    /// SFrame counter of the block; none when it was concealed.
    pub counter: Option<u64>,
    /// Samples played, 48 kHz.
    pub samples: u32,
    /// Samples taken out (accelerate) or put in (expand) by time stretching; negative when taken out.
    pub stretched: i32,
    /// Jitter buffer level after this block.
    pub buffered: Micros,
}

/// A rendered picture compared with the captured one, outside the mark.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PictureQuality {
    /// The receiving device.
    pub device: ActorName,
    /// The sending device.
    pub sender: ActorName,
    /// Frame number.
    pub frame: u32,
    /// PSNR of luma in thousandths of a decibel; 100,000 for equal pictures.
    pub psnr_y_mdb: u32,
    /// SSIM of luma in millionths.
    pub ssim_y_ppm: u32,
}

/// The encoder was given another bit rate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EncoderTarget {
    /// The device.
    pub device: ActorName,
    /// Camera or microphone.
    pub track: Track,
    /// The new rate.
    pub rate: BitRate,
}

/// A receiver asked for a key frame.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyFrameRequested {
    /// The device that asks.
    pub device: ActorName,
    /// Why: `first_frame`, `missing_reference`, `refused_frame`, `decoder`.
    pub reason: String,
}
