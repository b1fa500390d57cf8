"""Tests that one run is started for a schedule that was missed, and none for a schedule that was not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.flow_engine import run_flow
from prefect.states import Cancelled, Completed, Crashed, Failed, Pending, Running, Scheduled

from flows.schedule.missed_runs import missed, start_missed
from flows.schedule.run_history import AUTO, CATCH_UP, home_deployments, last_start, superseding_run
from flows.schedule.scheduled_flows import deployments, retry_due, subject
from flows.schedule.stale_runs import clean_up_stale
from tasks.settings import Settings

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
RANGES = (range(60), range(24), range(1, 32), range(1, 13), range(7))
# In these zones, the clock changes by an hour, never, or by a day. Lord Howe Island, where it changes by half an hour,
# is left out: cronsim is up to half an hour late there on the day of the change.
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Sydney", "UTC", "Asia/Kolkata", "Pacific/Apia")


def values(field, possible):
    """Return the set of values that a field of a cron expression allows, for `*`, `*/n`, `a`, `a-b` and lists."""
    allowed = set()
    for term in field.split(","):
        span, _, step = term.partition("/")
        least, _, most = span.partition("-")
        chosen = list(possible) if span == "*" else list(range(int(least), int(most or least) + 1))
        allowed |= set(chosen[:: int(step or 1)])
    return allowed


def matcher(expression):
    """Return a function that tells whether a cron expression allows a time of a wall clock."""
    fields = expression.split()
    minutes, hours, days, months, weekdays = (values(*pair) for pair in zip(fields, RANGES, strict=True))
    combine = all if fields[2].startswith("*") or fields[4].startswith("*") else any

    def matches(wall):
        is_time = wall.minute in minutes and wall.hour in hours and wall.month in months
        return is_time and combine((wall.day in days, wall.isoweekday() % 7 in weekdays))

    return matches


def exists(wall, zone):
    return wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wall


def all_due(expression, zone, first, last):
    """Yield, minute by minute, all times at which a schedule is due, in UTC."""
    matches = matcher(expression)
    minute, hour, *_ = expression.split()
    if minute.startswith("*") or hour.startswith("*"):  # due whenever the clock shows such a time
        moment = first.replace(second=0, microsecond=0)
        while moment <= last:
            if matches(moment.astimezone(zone)):
                yield moment
            moment += MINUTE
        return
    wall = (first.astimezone(zone) - DAY).replace(tzinfo=None, second=0, microsecond=0)  # due once per such time
    while wall.replace(tzinfo=UTC) <= last + DAY:
        if matches(wall):
            shown = wall
            while not exists(shown, zone):
                shown += MINUTE
            yield shown.replace(tzinfo=zone).astimezone(UTC)
        wall += MINUTE


def oracle(expression, timezone, last, now):
    times = all_due(expression, ZoneInfo(timezone), last, now)
    return min((time for time in times if last < time <= now), default=None)


def field(least, most):
    """Return a strategy for fields of cron expressions."""
    number = st.integers(least, most)
    return st.one_of(
        *(st.just("*"), number.map(str), number.map(str), st.integers(2, 9).map("*/{}".format)),
        st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}"),
        st.tuples(number, number).map(lambda pair: f"{pair[0]},{pair[1]}"),
    )


EXPRESSIONS = st.tuples(field(0, 59), field(0, 23), *(st.one_of(st.just("*"), field(*of)) for of in ((1, 28), (1, 12))))
EXPRESSIONS = st.builds(lambda four, week: " ".join([*four, week]), EXPRESSIONS, st.one_of(st.just("*"), field(0, 6)))
# Times near changes of the clock: 2026-03-29 and 2026-10-25 in Berlin, other days elsewhere, 2011-12-30 in Apia.
CHANGES = [
    datetime(*day, tzinfo=UTC) for day in ((2026, 3, 29, 1), (2026, 10, 25, 1), (2026, 3, 8, 7), (2026, 11, 1, 6))
]
CHANGES += [
    datetime(*day, tzinfo=UTC) for day in ((2026, 4, 4, 16), (2026, 10, 3, 16), (2011, 12, 30, 10), (2026, 7, 1))
]
MOMENTS = st.builds(
    lambda change, seconds: change + timedelta(seconds=seconds),
    st.sampled_from(CHANGES),
    st.one_of(st.integers(-7200, 7200), st.integers(-172_800, 172_800), st.floats(-9000, 9000, allow_nan=False)),
)


@settings(deadline=None)
@given(EXPRESSIONS, st.sampled_from(ZONES), MOMENTS, st.timedeltas(timedelta(0), 2 * DAY))
@example("30 2 * * *", "Europe/Berlin", datetime(2026, 10, 25, 1, 10, tzinfo=UTC), HOUR)  # the second 02:10
@example("30 2 * * *", "Europe/Berlin", datetime(2026, 3, 29, 0, 50, tzinfo=UTC), HOUR)  # there is no 02:30
def test_first_missed_time_equals_that_of_a_search_minute_by_minute(expression, timezone, last, off):
    found = missed(expression, timezone, last, last + off)
    assert (found and found.astimezone(UTC)) == oracle(expression, timezone, last, last + off)


@given(EXPRESSIONS, st.sampled_from(ZONES), MOMENTS, st.timedeltas(MINUTE, 5000 * DAY))
def test_nothing_is_missed_if_the_last_run_lies_in_the_future(expression, timezone, now, ahead):
    assert missed(expression, timezone, now + ahead, now) is None


@pytest.mark.parametrize(
    ("expression", "timezone", "last", "now", "due"),
    [
        ("0 6 * * *", "UTC", "2026-11-28T06:00:05+00:00", "2026-11-30T08:00:00+00:00", "2026-11-29T06:00:00+00:00"),
        ("0 6 * * *", "UTC", "2026-11-28T06:00:05+00:00", "2026-11-29T05:59:59+00:00", None),
        ("0 6 * * *", "UTC", "2026-11-28T06:00:00+00:00", "2026-11-29T06:00:00+00:00", "2026-11-29T06:00:00+00:00"),
        # 06:00 in Berlin is 05:00 UTC in winter and 04:00 UTC in summer.
        *(
            ("0 6 * * *", "Europe/Berlin", "2026-03-28T05:00:05+00:00", f"2026-03-29T{now}+00:00", due)
            for now, due in (("03:59:00", None), ("04:01:00", "2026-03-29T06:00:00+02:00"))
        ),
        *(
            ("0 6 * * *", "Europe/Berlin", "2026-10-24T04:00:05+00:00", f"2026-10-25T{now}+00:00", due)
            for now, due in (("04:59:00", None), ("05:01:00", "2026-10-25T06:00:00+01:00"))
        ),
        # The last run was recorded in another time zone.
        (
            "0 4 * * 1",
            "Asia/Tokyo",
            "2026-11-22T14:00:05-05:00",
            "2026-11-30T00:00:00-05:00",
            "2026-11-30T04:00:00+09:00",
        ),
        ("0 0 29 2 *", "UTC", "2024-02-29T00:00:01+00:00", "2028-02-28T00:00:00+00:00", None),
        ("0 0 29 2 *", "UTC", "2024-02-29T00:00:01+00:00", "2028-03-28T00:00:00+00:00", "2028-02-29T00:00:00+00:00"),
    ],
)
def test_known_times(expression, timezone, last, now, due):
    found = missed(expression, timezone, datetime.fromisoformat(last), datetime.fromisoformat(now))
    assert (found and found.isoformat()) == due


URL = "https://a.example/feed.xml"


class Home:
    """Deployments of a home on the test server."""

    def __init__(self, path, client, **schedule):
        playlists = [{"url": URL, "every": "0 6 * * *", "timezone": "Europe/Berlin"}]
        plan = Settings.model_validate({"playlists": playlists, "schedule": {"retry": "", "train": "", **schedule}})
        self.path, self.client, self.served = path, client, deployments(path, plan)
        self.register()

    def register(self):
        """Create or update the deployments."""
        self.ids = {deployment.apply(): subject(deployment) for deployment in self.served}

    def start(self, after=timedelta(0)):
        """Do what `songform schedule` does when it starts at a later time, and return its lines."""
        clean_up_stale(self.path, {deployment.name for deployment in self.served})
        self.register()
        return list(start_missed(self.ids, datetime.now(UTC) + after))

    def create(self, *states, tags=()):
        """Create a run of the first deployment, and take it through states."""
        run = self.client.create_flow_run_from_deployment(next(iter(self.ids)), tags=tags)
        for state in states:
            self.client.set_flow_run_state(run.id, state, force=True)
        return self.client.read_flow_run(run.id)

    def runs(self):
        """Return the runs that were started to catch up."""
        of_these = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=list(self.ids)))
        return [run for run in self.client.read_flow_runs(flow_run_filter=of_these) if CATCH_UP in run.tags]


@pytest.fixture
def client(api):
    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def home(client, tmp_path):
    home = Home(tmp_path, client)
    yield home
    clean_up_stale(tmp_path, set())


def test_home_whose_last_run_is_two_days_old_runs_each_playlist_once(home):
    home.create(Pending(), Running(), Completed())
    assert home.start() == []
    (line,) = home.start(2 * DAY)
    assert f" at 06:00 Europe/Berlin, starts now: {URL}" in line
    (run,) = home.runs()
    assert run.state.is_scheduled()
    assert run.parameters == {"home": str(home.path), "urls": [URL]}
    home.client.set_flow_run_state(run.id, Running(), force=True)
    home.client.set_flow_run_state(run.id, Completed(), force=True)
    assert home.start() == []


def test_retries_and_trainings_are_caught_up_as_well(client, tmp_path):
    home = Home(tmp_path, client, retry="30 * * * *", train="0 4 * * 1")
    assert [line.rpartition(": ")[2] for line in home.start(8 * DAY)] == [URL, "retry of failed tracks", "training"]
    assert "retry of failed tracks" in [line.rpartition(": ")[2] for line in home.start(HOUR)]
    clean_up_stale(tmp_path, set())


def test_home_that_never_ran_counts_from_its_first_start(home):
    assert home.start() == []
    assert len(home.start(2 * DAY)) == 1


def test_new_database_and_renamed_playlist_miss_nothing(home):
    home.create(Pending(), Running(), Completed())
    renamed = Home(home.path, home.client)
    renamed.served = deployments(home.path, Settings.model_validate({"playlists": [{"url": URL + "?new"}]}))
    assert renamed.start() == []
    assert renamed.runs() == []


def test_unstarted_run_is_replaced_when_the_schedule_is_started_again(home):
    assert len(home.start(2 * DAY)) == 1
    assert len(home.start(2 * DAY)) == 1
    assert len(home.runs()) == 1
    assert home.start() == []
    assert home.runs() == []


def test_runs_that_a_killed_schedule_left_do_not_start_late_and_those_of_the_user_do(home):
    mine = home.create()
    left = [home.create(Scheduled(), tags=[AUTO]) for _ in range(3)]
    home.start()
    assert home.client.read_flow_run(mine.id).state.is_scheduled()
    of_these = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=list(home.ids)))
    rest = {run.id for run in home.client.read_flow_runs(flow_run_filter=of_these)}
    assert mine.id in rest
    assert not rest & {run.id for run in left}


@pytest.mark.parametrize("end", [Crashed(), Cancelled()])
def test_interrupted_run_counts_only_if_it_was_a_catch_up(home, end):
    (deployment,) = home.ids

    def last():
        return last_start(home.client, deployment, datetime.now(UTC))

    assert last() is None
    done = home.create(Pending(), Running(), Completed())
    assert last() == done.start_time
    home.create(Pending(), Running(), end, tags=[AUTO])
    assert last() == done.start_time
    again = home.create(Pending(), Running(), end, tags=[CATCH_UP])
    assert last() == again.start_time > done.start_time


def test_failed_run_counts_and_one_that_lies_in_the_future_does_not(home):
    (deployment,) = home.ids
    run = home.create(Pending(), Running(), Failed())
    assert last_start(home.client, deployment, run.start_time) == run.start_time
    assert last_start(home.client, deployment, run.start_time - DAY) is None


def test_deployment_created_before_the_clock_was_set_back_is_created_again(home, monkeypatch):
    (before,) = home_deployments(home.client, home.path)

    class Earlier(datetime):
        @classmethod
        def now(cls, tz=None):
            return super().now(tz) - 400 * DAY

    monkeypatch.setattr("flows.schedule.stale_runs.datetime", Earlier)
    home.create(Pending(), Running(), Completed())
    assert list(start_missed(home.ids, Earlier.now(UTC))) == []
    assert home.start() == []
    (after,) = home_deployments(home.client, home.path)
    assert after.id != before.id


def test_only_the_first_of_several_late_runs_does_the_work(client, tmp_path):
    home = Home(tmp_path, client, retry="30 * * * *")
    home.ids = dict(list(home.ids.items())[-1:])
    first, second = (home.create(tags=[AUTO]) for _ in range(2))
    manual = home.create()
    states = [
        run_flow(retry_due, flow_run=run, parameters={"home": tmp_path}, return_type="state")
        for run in (first, second, manual)
    ]
    assert [state.name for state in states] == ["Completed", "Cancelled", "Completed"]
    assert "started after this run was due" in states[1].message
    first, second = (client.read_flow_run(run.id) for run in (first, second))
    assert superseding_run(client, first) is None  # the second run started later
    assert superseding_run(client, second).id == first.id
    assert superseding_run(client, second.model_copy(update={"parameters": {"home": "/other"}})) is None
    clean_up_stale(tmp_path, set())
