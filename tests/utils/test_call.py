"""What is built once in a public call, and what is kept of it."""

from contextvars import copy_context
from threading import Thread

from skrec.utils._call import built_once, one_call


class _Owner:
    pass


def test_a_block_builds_once_and_keeps_nothing_after_it():
    owner, state, built = _Owner(), {}, []

    def build():
        built.append(object())
        return built[-1]

    with one_call():
        with one_call():  # a part of the outer one
            first = built_once(owner, state, "a", build)
        assert built_once(owner, state, "a", build) is first
        assert built_once(owner, {}, "a", build) is not first  # another state
    assert built_once(owner, state, "a", build) is not first
    assert len(built) == 3


def test_of_many_owners_the_last_few_are_kept():
    owners, state = [_Owner() for _ in range(10)], {}
    with one_call():
        made = [built_once(owner, state, "a", object) for owner in owners]
        again = [built_once(owner, state, "a", object) for owner in owners[-4:]]
        assert again == made[-4:]
        assert built_once(owners[0], state, "a", object) is not made[0]


def test_a_thread_in_a_copy_of_the_context_has_its_own():
    owner, state, found = _Owner(), {}, []
    with one_call():
        mine = built_once(owner, state, "a", object)
        context = copy_context()
        thread = Thread(
            target=context.run, args=(lambda: found.append(built_once(owner, state, "a", object)),)
        )
        thread.start()
        thread.join()
        assert found[0] is not mine
        assert built_once(owner, state, "a", object) is mine
