# The project as an Astro image: the runtime brings Airflow 3.3, requirements.txt the rest.
# `make demo` and `make up` do not use it; they run the same project from .venv.
FROM astrocrpublic.azurecr.io/runtime:3.3-2
