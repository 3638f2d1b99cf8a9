//! Places for connections: so many in all, and so many from one address, so that nobody who holds connections open without saying
//! anything takes all of them.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Config;

/// All places.
#[derive(Clone)]
pub(crate) struct Places {
    all: Arc<Semaphore>,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A connection's place, free again when dropped.
pub(crate) struct Place {
    _one_of_all: OwnedSemaphorePermit,
    /// Whose it is, where that is counted.
    address: Option<IpAddr>,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Places {
    pub(crate) fn new(config: &Config) -> Self {
        Self { all: Arc::new(Semaphore::new(config.connections_max.max(1))), taken: Arc::default() }
    }

    /// Waits for a free place.
    pub(crate) async fn any(&self) -> OwnedSemaphorePermit {
        self.all.clone().acquire_owned().await.expect("the semaphore is never closed")
    }

    /// That place for a connection of this address; none if it has too many already. A trusted proxy speaks for many, and so may
    /// a program on this machine.
    pub(crate) fn of(&self, peer: IpAddr, config: &Config, place: OwnedSemaphorePermit) -> Option<Place> {
        let peer = peer.to_canonical();
        let is_proxy = config.trusted_proxies.iter().any(|network| network.contains(&peer));
        let address = (!is_proxy && !peer.is_loopback()).then_some(peer);
        if let Some(address) = address {
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            let count = taken.entry(address).or_insert(0);
            if *count >= config.connections_per_address_max {
                return None;
            }
            *count += 1;
        }
        Some(Place { _one_of_all: place, address, taken: self.taken.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = taken.entry(address) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_address_takes_its_share_and_no_more() {
        let trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        let config =
            Config { connections_max: 6, connections_per_address_max: 2, trusted_proxies, ..Config::default() };
        let places = Places::new(&config);
        let take = async |address: &str| {
            let place = places.any().await;
            places.of(address.parse().unwrap(), &config, place)
        };
        let (first, _second) = (take("192.0.2.1").await.unwrap(), take("::ffff:192.0.2.1").await.unwrap());
        assert!(take("192.0.2.1").await.is_none());
        let _other = take("192.0.2.2").await.unwrap();
        let _proxied =
            [take("10.1.1.1").await.unwrap(), take("10.1.1.1").await.unwrap(), take("10.1.1.1").await.unwrap()];
        assert_eq!(places.all.available_permits(), 0, "a refused one gave its place back");
        drop(first);
        assert!(take("192.0.2.1").await.is_some());
        assert_eq!(places.taken.lock().unwrap().len(), 2, "only who has connections is remembered");
    }
}
