//! What becomes of sign-ins, and what the server's guards held off, as the operator's log tells it: who, on which device, from where,
//! and what came of it.
//!
//! A name is told only if there is an account of it: what people type in the place of a name is now and then their password.

use std::net::IpAddr;

use axum::http::StatusCode;
use ginti_store::{SignInOf, User};
use ginti_types::{Code, DeviceId};
use tracing::field::display;

/// A guard held something off that the app does not do by itself. The request's own fields say who it was, if that is known.
pub(crate) fn held_off(status: StatusCode, code: Option<Code>, address: Option<IpAddr>) {
    let address = address.map(display);
    let name = code.map(Code::as_str);
    match (status.as_u16(), code) {
        (403, _) => tracing::warn!(code = name, address, "not allowed"),
        (401, Some(Code::TokenInvalid)) => tracing::warn!(code = name, address, "a token was not accepted"),
        (429, _) => tracing::warn!(code = name, address, "too many tries"),
        (409, Some(Code::BatchIdReused)) => tracing::warn!(code = name, address, "a batch id came with other content"),
        // Single counts: the app shows them, and alerts tell of them.
        (422, Some(Code::ItemsRefused)) => {}
        (400 | 405 | 413 | 415 | 422, _) => tracing::warn!(code = name, address, "input was refused"),
        _ => {}
    }
}

/// How somebody signs in.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    Password,
    Provider,
}

impl Way {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Provider => "provider",
        }
    }
}

/// Where something is tried.
#[derive(Clone)]
pub(crate) struct Place {
    /// By its own account.
    pub(crate) device: Option<DeviceId>,
    pub(crate) address: Option<IpAddr>,
}

impl Place {
    fn device(&self) -> Option<&str> {
        self.device.as_ref().map(DeviceId::as_str)
    }

    pub(crate) fn signed_in(&self, way: Way, user: &User) {
        let (tenant, user, way) = (user.tenant.as_str(), user.id.as_str(), way.as_str());
        tracing::info!(way, tenant, user, device = self.device(), address = self.address.map(display), "signed in");
    }

    /// `user` is whose account it is, if there is one of that name.
    pub(crate) fn sign_in_failed(&self, code: Code, user: Option<&User>) {
        let (tenant, name) = (user.map(|user| user.tenant.as_str()), user.map(|user| user.id.as_str()));
        let (code, way) = (code.as_str(), Way::Password.as_str());
        let (device, address) = (self.device(), self.address.map(display));
        tracing::warn!(code, way, tenant, user = name, device, address, "a sign-in failed");
    }

    pub(crate) fn refresh_refused(&self, reason: &'static str, of: Option<&SignInOf>) {
        let (tenant, user) = (of.map(|of| of.tenant.as_str()), of.map(|of| of.user.as_str()));
        let code = Code::RefreshRefused.as_str();
        let (device, address) = (self.device(), self.address.map(display));
        tracing::warn!(code, reason, tenant, user, device, address, "a refresh was refused");
    }

    pub(crate) fn signed_out(&self, of: &SignInOf) {
        let (tenant, user) = (of.tenant.as_str(), of.user.as_str());
        tracing::info!(tenant, user, address = self.address.map(display), "signed out");
    }

    /// What came of it, for whoever is signed in: the request's own fields say who that is.
    pub(crate) fn password_change(&self, refused: Option<Code>) {
        let address = self.address.map(display);
        match refused {
            None => tracing::info!(address, "a password was changed"),
            Some(code) => tracing::warn!(code = code.as_str(), address, "a change of password failed"),
        }
    }

    /// The same, for ending one of one's sign-ins.
    pub(crate) fn sign_in_ended(&self, refused: Option<Code>) {
        let address = self.address.map(display);
        match refused {
            None => tracing::info!(address, "a sign-in was ended from elsewhere"),
            Some(code) => tracing::warn!(code = code.as_str(), address, "a sign-in was not ended"),
        }
    }
}
