from alerts.heartbeat import Heartbeat
from tests.support.providers import Group
from tests.support.servers import wait_until


def test_a_beat_is_sent_while_readings_are_judged() -> None:
    watch = Group()
    with watch.running():
        beat = Heartbeat(f"http://{watch.host}/", every_s=0.01)
        wait_until(lambda: watch.asked > 1, 20, "two beats")
        beat.close()


def test_there_is_no_beat_once_judging_has_stopped() -> None:
    watch = Group()
    with watch.running():
        beat = Heartbeat(f"http://{watch.host}/", every_s=0.01)
        beat._judged_s -= 3600
        before = watch.asked
        wait_until(lambda: beat.skipped > 3, 20, "some minutes without a beat")
        beat.close()

        assert watch.asked <= before + 1
