//! What becomes of sign-ins, as the operator's log tells it: who, on which device, from where, and what came of it.
//!
//! A name is told only if there is an account of it: what people type in the place of a name is now and then their password.

use std::net::IpAddr;

use ginti_store::{SignInOf, User};
use ginti_types::{Code, DeviceId};
use tracing::field::display;

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
}
