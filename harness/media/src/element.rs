//! A GStreamer element driven pad to pad: buffers are pushed into its sink pad and come out of its source pad within
//! the same call. No pipeline, no clock, no thread.

use crate::doctor;
use gstreamer as gst;
use gstreamer::prelude::*;
use kernel::random;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

/// An element could not be made, or refused what it was given.
#[derive(Debug, thiserror::Error)]
pub enum ElementError {
    /// The element's plugin is not installed.
    #[error("the GStreamer element {element} is missing: install the Debian package {package}")]
    Missing {
        /// Name of the element.
        element: String,
        /// The Debian package that holds it.
        package: &'static str,
    },
    /// The element has no such property: another version of GStreamer.
    #[error("the GStreamer element {element} has no property {property}")]
    Property {
        /// Name of the element.
        element: String,
        /// Name of the property.
        property: String,
    },
    /// Linking, activating or starting failed.
    #[error("the GStreamer element {element} does not start: {what}")]
    Start {
        /// Name of the element.
        element: String,
        /// What failed.
        what: String,
    },
    /// A buffer or event was refused.
    #[error("the GStreamer element {element} refuses its input: {what}")]
    Refused {
        /// Name of the element.
        element: String,
        /// The flow error, and what the element said about it.
        what: String,
    },
}

type Output = Arc<Mutex<VecDeque<gst::Buffer>>>;

/// A running element between two pads of ours.
pub struct Element {
    element: gst::Element,
    source: gst::Pad,
    sink: gst::Pad,
    output: Output,
    bus: gst::Bus,
}

impl Element {
    /// Makes the element called `name`, sets its properties, and starts it for a stream of `input` caps; what comes
    /// out must be of `accepted` caps.
    ///
    /// # Errors
    /// [`ElementError`]: the element is missing, lacks a property, or does not start.
    ///
    /// # Panics
    /// When a property cannot hold the value: the caller's bug.
    pub fn start(
        name: &str,
        properties: &[(&str, String)],
        input: &gst::Caps,
        accepted: gst::Caps,
    ) -> Result<Element, ElementError> {
        let _scope = random::scope("gstreamer");
        let element = make(name, properties)?;
        let output = Output::default();
        let source = gst::Pad::builder(gst::PadDirection::Src).event_function(|_, _, _| true).build();
        let sink = sink_pad(&output, accepted);
        let element = Element { element, source, sink, output, bus: gst::Bus::new() };
        element.link().map_err(|error| element.cannot_start(error.to_string()))?;
        element.begin_stream(input)?;
        Ok(element)
    }

    /// Pushes a buffer that lasts from `pts` for `duration` nanoseconds. `pts` must increase from call to call: a
    /// buffer at an old one is swallowed silently.
    ///
    /// # Errors
    /// [`ElementError::Refused`] with what the element said.
    pub fn push(&mut self, mut buffer: gst::Buffer, pts: u64, duration: u64) -> Result<(), ElementError> {
        let _scope = random::scope("gstreamer");
        let fresh = buffer.get_mut().expect("a buffer that was just made has one owner");
        fresh.set_pts(gst::ClockTime::from_nseconds(pts));
        fresh.set_duration(gst::ClockTime::from_nseconds(duration));
        let flow = self.source.push(buffer);
        let said = self.drain_bus();
        flow.map(|_| ()).map_err(|error| self.refused(format!("{error}; {said}")))
    }

    /// Tells the element that input is missing from `pts` for `duration` nanoseconds.
    ///
    /// # Errors
    /// [`ElementError::Refused`] with what the element said.
    pub fn push_gap(&mut self, pts: u64, duration: u64) -> Result<(), ElementError> {
        let _scope = random::scope("gstreamer");
        let gap = gst::event::Gap::builder(gst::ClockTime::from_nseconds(pts))
            .duration(gst::ClockTime::from_nseconds(duration))
            .build();
        let taken = self.source.push_event(gap);
        let said = self.drain_bus();
        if taken { Ok(()) } else { Err(self.refused(format!("gap; {said}"))) }
    }

    /// The next buffer that came out.
    pub fn pull(&mut self) -> Option<gst::Buffer> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Sets a property while the element runs.
    pub(crate) fn set(&self, property: &str, value: impl Into<gst::glib::Value>) {
        self.element.set_property_from_value(property, &value.into());
    }

    /// Asks an encoder to make its next frame a key frame.
    pub(crate) fn force_key_frame(&self) {
        let _scope = random::scope("gstreamer");
        let event = gstreamer_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
        self.sink.push_event(event);
    }

    fn link(&self) -> Result<(), Box<dyn std::error::Error>> {
        let (into, out_of) = (self.element.static_pad("sink"), self.element.static_pad("src"));
        let (Some(into), Some(out_of)) = (into, out_of) else { return Err("it has no sink or source pad".into()) };
        self.source.set_active(true)?;
        self.sink.set_active(true)?;
        self.source.link(&into)?;
        out_of.link(&self.sink)?;
        self.element.set_bus(Some(&self.bus));
        self.element.set_state(gst::State::Playing)?;
        Ok(())
    }

    fn begin_stream(&self, input: &gst::Caps) -> Result<(), ElementError> {
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        let events = [
            gst::event::StreamStart::new("callproof"),
            gst::event::Caps::new(input),
            gst::event::Segment::new(&segment),
        ];
        if events.into_iter().all(|event| self.source.push_event(event)) {
            return Ok(());
        }
        Err(self.cannot_start(format!("{input} is refused; {}", self.drain_bus())))
    }

    /// Empties the bus, so that messages nobody reads do not pile up; answers with the errors and warnings on it.
    fn drain_bus(&self) -> String {
        let mut said = String::new();
        while self.bus.have_pending() {
            match self.bus.pop().as_ref().map(|message| message.view()) {
                Some(gst::MessageView::Error(error)) => said += &error.error().to_string(),
                Some(gst::MessageView::Warning(warning)) => said += &warning.error().to_string(),
                _ => {}
            }
        }
        said
    }

    fn cannot_start(&self, what: String) -> ElementError {
        ElementError::Start { element: self.element.name().into(), what }
    }

    fn refused(&self, what: String) -> ElementError {
        ElementError::Refused { element: self.element.name().into(), what }
    }
}

impl Drop for Element {
    fn drop(&mut self) {
        let _scope = random::scope("gstreamer");
        // An element must not be dropped while it plays; nothing can be done when it refuses to stop.
        let _ = self.element.set_state(gst::State::Null);
        let _ = self.source.set_active(false);
        let _ = self.sink.set_active(false);
    }
}

fn make(name: &str, properties: &[(&str, String)]) -> Result<gst::Element, ElementError> {
    let missing = || ElementError::Missing { element: name.into(), package: doctor::package_of(name) };
    let element = gst::ElementFactory::make(name).build().map_err(|_| missing())?;
    for (property, value) in properties {
        if element.find_property(property).is_none() {
            return Err(ElementError::Property { element: name.into(), property: (*property).into() });
        }
        element.set_property_from_str(property, value);
    }
    Ok(element)
}

/// The pad that takes what comes out. It answers caps queries itself: nothing is downstream that could, and an element
/// that gets no answer cannot negotiate another picture size later.
fn sink_pad(output: &Output, accepted: gst::Caps) -> gst::Pad {
    let output = output.clone();
    gst::Pad::builder(gst::PadDirection::Sink)
        .chain_function(move |_, _, buffer| {
            output.lock().unwrap_or_else(PoisonError::into_inner).push_back(buffer);
            Ok(gst::FlowSuccess::Ok)
        })
        .event_function(|_, _, _| true)
        .query_function(move |pad, parent, query| match query.view_mut() {
            gst::QueryViewMut::Caps(query) => {
                let caps = query.filter_owned().map_or_else(|| accepted.clone(), |filter| filter.intersect(&accepted));
                query.set_result(&caps);
                true
            }
            gst::QueryViewMut::AcceptCaps(query) => {
                let accepts = query.caps().is_subset(&accepted);
                query.set_result(accepts);
                true
            }
            _ => gst::Pad::query_default(pad, parent, query),
        })
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_element_names_its_package() {
        doctor::initialize().unwrap();
        let any = gst::Caps::new_any();
        let error = Element::start("openh264enc-absent", &[], &any, any.clone()).err().unwrap().to_string();
        assert!(error.contains("openh264enc-absent is missing"), "{error}");
        assert!(error.contains("gstreamer1.0-"), "{error}");
    }

    #[test]
    fn an_unknown_property_is_an_error() {
        doctor::initialize().unwrap();
        let any = gst::Caps::new_any();
        let error = Element::start("vp8dec", &[("bogus", "1".into())], &any, any.clone()).err().unwrap();
        assert!(matches!(error, ElementError::Property { .. }), "{error}");
    }
}
