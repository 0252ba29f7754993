"""A question gets an answer: by meaning, by words, by both, and by words when the provider is gone."""

import pytest
from pytest_django import Settings

from articles.models import Article
from embeddings.search import SearchMode, search
from embeddings.search.reply import Reply
from tests.embeddings.search.making import embed_all, make_corpus
from tests.providers import FakeProvider

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("provider", "clean_cache")]


def slugs(reply: Reply) -> list[str]:
    return [hit.slug for hit in reply.hits]


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("read a zip file", "zipfile"),
        ("parse command line options", "argparse"),
        ("run code in another thread", "threading"),
    ],
)
@pytest.mark.parametrize("mode", SearchMode)
def test_the_fitting_article_comes_first_in_every_mode(query: str, best: str, mode: SearchMode) -> None:
    make_corpus()
    reply = search(query, mode=mode)
    assert slugs(reply)[0] == best
    assert (reply.mode, reply.answered_by, reply.degraded, reply.reason) == (mode, mode, False, "")


def test_the_reply_names_space_path_and_timing() -> None:
    space = make_corpus()
    reply = search("zip")
    assert (reply.space, reply.path) == (str(space), "exact")
    assert set(reply.timing_ms) == {"embed", "search", "total"}
    assert search("zip", mode=SearchMode.KEYWORD).space is None


def test_no_more_than_k_articles_come_back_best_first() -> None:
    make_corpus()
    scores = [hit.score for hit in search("zip file", k=3).hits]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)


def test_a_hit_shows_its_best_chunk_with_offsets_into_the_content() -> None:
    space = make_corpus()
    filler = "Nothing of interest is said in this sentence. " * 30
    content = f"{filler}\n\nThe aardvark eats ants at night.\n\n{filler}"
    Article(title="Long", content=content).save()
    embed_all(space)
    hit = search("aardvark eats ants").hits[0]
    assert (hit.slug, hit.version_number) == ("long", 1)
    assert "aardvark" in hit.snippet
    assert content[hit.start : hit.end] == hit.snippet
    assert hit.end - hit.start < len(content)


def test_an_article_comes_once_however_many_of_its_chunks_are_near() -> None:
    space = make_corpus()
    Article(title="Zips", content="\n\n".join(f"Read zip file number {n}. " * 20 for n in range(40))).save()
    embed_all(space)
    found = slugs(search("read zip file number", k=5))
    assert found[0] == "zips"
    assert len(found) == len(set(found)) == 5


def test_between_an_edit_and_its_vectors_the_hit_shows_the_text_that_was_found() -> None:
    make_corpus()
    article = Article.objects.get(slug="zipfile")
    article.content = "Something else entirely."
    article.save()
    hit = search("read and write zip archives").hits[0]
    assert (hit.slug, hit.version_number) == ("zipfile", 1)
    assert hit.snippet.startswith("Read and write ZIP archives.")


@pytest.mark.parametrize("mode", SearchMode)
def test_a_filter_that_keeps_few_articles_still_returns_k_of_them(mode: SearchMode) -> None:
    space = make_corpus()
    Article.objects.bulk_create(
        Article(slug=f"n{n}", title=f"Zip {n}", content=f"zip file {n}", metadata={"rare": n % 50 == 0})
        for n in range(300)
    )
    embed_all(space)
    reply = search("zip file", k=5, mode=mode, filter={"rare": True})
    assert len(reply.hits) == 5
    assert all(hit.metadata == {"rare": True} for hit in reply.hits)
    assert "filtered" in reply.path


def test_a_filter_that_keeps_nothing_returns_nothing() -> None:
    make_corpus()
    assert search("zip", filter={"name": "nobody"}).hits == []


@pytest.mark.parametrize("mode", [SearchMode.SEMANTIC, SearchMode.HYBRID])
@pytest.mark.parametrize("fault", ["500", "429", "401", "nan", "cut"])
def test_when_the_provider_fails_keywords_answer_and_the_reply_says_so(
    provider: FakeProvider, mode: SearchMode, fault: str
) -> None:
    make_corpus()
    provider.config(fail_next=[fault])
    reply = search("zip file", mode=mode)
    assert slugs(reply)[0] == "zipfile"
    assert (reply.mode, reply.answered_by, reply.degraded) == (mode, SearchMode.KEYWORD, True)
    assert reply.reason.startswith("the embedding provider gave no answer")


def test_without_a_serving_space_keywords_answer() -> None:
    make_corpus().delete()
    reply = search("zip file")
    assert (slugs(reply)[0], reply.degraded) == ("zipfile", True)


def test_with_semantic_search_switched_off_keywords_answer(
    settings: Settings, provider: FakeProvider
) -> None:
    make_corpus()
    provider.config(reset=True)
    settings.SEMANTIC_SEARCH_ENABLED = False
    assert search("zip file").degraded
    assert provider.stats()["requests"] == 0


def test_the_same_query_is_embedded_once(provider: FakeProvider) -> None:
    make_corpus()
    provider.config(reset=True)
    assert all(slugs(search("zip file"))[0] == "zipfile" for _ in range(3))
    assert provider.stats()["requests"] == 1


def test_a_query_longer_than_the_model_reads_is_embedded_in_pieces(provider: FakeProvider) -> None:
    make_corpus()
    provider.config(reset=True)
    assert search("zip file archive members " * 40).hits[0].slug == "zipfile"
    assert provider.stats()["texts"] > 1


@pytest.mark.parametrize(
    "query", ["the", "!!!", "-zip", '"', "a & b | !c", "\\", "'", "zip:*", "é" * 1000, "%s"]
)
@pytest.mark.parametrize("mode", SearchMode)
def test_odd_queries_are_answered(query: str, mode: SearchMode) -> None:
    make_corpus()
    assert len(search(query, mode=mode).hits) <= 10


def test_keyword_search_finds_articles_that_hold_some_of_the_words_after_those_with_all() -> None:
    make_corpus()
    assert slugs(search("decode zip archives compressed", mode=SearchMode.KEYWORD))[0] == "zipfile"


def test_a_query_that_excludes_a_word_excludes_it() -> None:
    make_corpus()
    assert slugs(search("zip -compressed", mode=SearchMode.KEYWORD)) == []


def test_a_hostile_question_is_answered_in_every_mode() -> None:
    make_corpus()
    for character in "-|&!:*()'\"\\<>a\u0301\u200b\u202e日":
        for query in (f"x{character * 999}", f"{character} " * 500, f"a{character}" * 500):
            for mode in SearchMode:
                assert not search(query, mode=mode).degraded, (character, mode)


@pytest.mark.parametrize("query", ["café", "cafe\u0301", "CAFE", "cafe"])
def test_a_query_finds_letters_in_every_unicode_form(query: str) -> None:
    make_corpus()
    Article(title="Le cafe\u0301", content="Bonjour.", metadata={"o\u0308": "u\u0308"}).save()
    for filter in (None, {"ö": "ü"}, {"o\u0308": "u\u0308"}):
        assert slugs(search(query, mode=SearchMode.KEYWORD, filter=filter)) == ["le-café"]


def test_a_japanese_question_finds_its_sentence() -> None:
    make_corpus()
    Article(title="東京", content="東京都庁は新宿区にあります。展望室からの眺めは素晴らしい。").save()
    Article(title="大阪", content="大阪城は中央区にあります。").save()
    assert slugs(search("展望室からの眺め", mode=SearchMode.KEYWORD))[0] == "東京"


def test_a_server_of_another_recipe_searches_by_keywords_and_embeds_no_query(
    settings: Settings, provider: FakeProvider
) -> None:
    settings.EMBEDDING_PROVIDER, settings.EMBEDDING_MODEL = "openai", "fake-embed"
    make_corpus()
    assert search("zip file").answered_by is SearchMode.SEMANTIC
    settings.EMBEDDING_QUERY_PREFIX = "ask: "
    asked = provider.stats()["requests"]
    reply = search("zip file")
    assert (reply.answered_by, reply.degraded) == (SearchMode.KEYWORD, True)
    assert "another recipe" in reply.reason
    assert provider.stats()["requests"] == asked
