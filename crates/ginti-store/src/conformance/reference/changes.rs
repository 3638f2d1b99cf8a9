//! What changes in the reference besides counts: devices, the status of sessions, the epoch.

use ginti_types::{DeviceId, Epoch, SessionId, SessionStatus, TenantId};

use super::Reference;
use crate::DeviceSeen;

impl Reference {
    /// Notes a sign-in on a device, and a hand-over by its former id if this person has signed in there.
    pub fn see_device(&mut self, tenant: &TenantId, seen: &DeviceSeen) {
        let device = self.devices.entry((tenant.clone(), seen.device.clone())).or_default();
        device.people.insert(seen.user.clone());
        let Some(former) = &seen.former else { return };
        let Some(former) = self.devices.get_mut(&(tenant.clone(), former.clone())) else { return };
        if former.revoked || !former.people.contains(&seen.user) {
            return;
        }
        if let Some(above) = seen.retire_former_above {
            former.believed_to = Some(former.believed_to.map_or(above, |bound| bound.min(above)));
        }
        let mut people = former.people.clone();
        self.devices.entry((tenant.clone(), seen.device.clone())).or_default().people.append(&mut people);
    }

    /// Blocks a device or lets it in again; false if it was never seen.
    pub fn set_device_revoked(&mut self, tenant: &TenantId, device: &DeviceId, revoked: bool) -> bool {
        let known = self.devices.get_mut(&(tenant.clone(), device.clone()));
        known.map(|known| known.revoked = revoked).is_some()
    }

    /// Moves a session to another status; false if there is no such session.
    pub fn set_session_status(&mut self, tenant: &TenantId, session: &SessionId, status: SessionStatus) -> bool {
        let known = self.sessions.get_mut(&(tenant.clone(), session.clone()));
        known.map(|known| known.session.status = status).is_some()
    }

    /// Begins a new epoch.
    pub fn new_epoch(&mut self, epoch: Epoch) {
        self.ledger.epoch = epoch;
    }
}
