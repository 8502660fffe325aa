//! The model of an endpoint's indices: the walk over everything that they spare.

use super::*;

mod explored;

impl Endpoint {
    /// Panics when an index or a timer says anything else than a walk over all IKE SAs and
    /// connections.
    pub fn assert_sound(&self) {
        let of_sas = self.sas.walk().map(|(spi, sa)| (Timer::Sa(*spi), sa.timeout()));
        let of_connections = self.connections.walk();
        let of_connections =
            of_connections.map(|(id, known)| (Timer::Connection(*id), known.timeout()));
        let of_soundings = self.soundings.walk().map(|(id, due)| (due, Timer::Sounding(id)));
        let deadlines: Vec<(Timestamp, Timer)> = of_sas
            .chain(of_connections)
            .filter_map(|(timer, timeout)| Some((timeout?.0, timer)))
            .chain(of_soundings)
            .collect();
        assert_eq!(self.timers.len(), deadlines.len(), "deadlines by timer and by walk");
        assert_eq!(self.timers.next(), deadlines.iter().min().copied());

        let passing =
            |sa: &IkeSa| matches!(sa, IkeSa::Over(..) | IkeSa::HalfOpen(_) | IkeSa::Responding(_));
        assert_eq!(self.is_idle(), self.sas.walk().all(|(_, sa)| passing(sa)));
        for (id, _) in self.connections.walk() {
            self.assert_sound_connection(*id);
        }
    }

    fn assert_sound_connection(&self, id: ConnectionId) {
        let of_connection = |sa: &Established| sa.connection == id;
        let walked = self.established_by_walk().filter(|sa| of_connection(sa));
        let spis: Vec<IkeSpi> = walked.map(|sa| sa.id().local).collect();
        assert_eq!(self.sas.spis_of(id), spis, "IKE SAs of {id:?}");
        assert_eq!(self.is_first_contact(id), self.is_first_contact_by_walk(id));
    }

    /// RFC 7296 §2.4, as one would look for it.
    fn is_first_contact_by_walk(&self, id: ConnectionId) -> bool {
        let Some(connection) = self.connections.get(id) else { return false };
        let config = &connection.config;
        !self.established_by_walk().any(|sa| {
            let same = sa.config.local_id == config.local_id && *sa.remote_id() == config.remote_id;
            let restarts = sa.connection == id && connection.told != Told::Up;
            same && !sa.is_over() && !restarts
        })
    }

    fn established_by_walk(&self) -> impl Iterator<Item = &Established> {
        self.sas.walk().filter_map(|(_, sa)| match sa {
            IkeSa::Established(sa) => Some(sa.as_ref()),
            IkeSa::Initiating(_)
            | IkeSa::AwaitInit(_)
            | IkeSa::AwaitIntermediate(_)
            | IkeSa::AwaitAuth(_) => None,
            IkeSa::Responding(_) | IkeSa::HalfOpen(_) | IkeSa::Over(..) => None,
        })
    }

    /// How many established IKE SAs there are, those that are going among them.
    pub fn established(&self) -> usize {
        self.established_by_walk().count()
    }

    /// How many connections and IKE SAs were looked at since the last call.
    pub fn take_visits(&self) -> u64 {
        self.connections.visits().take() + self.sas.visits().take()
    }
}

impl Endpoint {
    /// Deletes a Child SA, as a peer may do.
    pub(in crate::ike) fn delete_child(&mut self, child: ChildId, at: &mut Moment<'_>) {
        let Some((spi, _)) = self.owner_of(child) else { return };
        self.with_established(spi, at, |sa, ctx| {
            sa.children.get_mut(child).expect("its own").delete();
            sa.rekey_child_now(child, ctx);
        });
        self.rearm();
    }
}
