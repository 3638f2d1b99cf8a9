//! The conformance suite: what every back end must do, checked through the trait alone.
