"""The wing for people: what do reviewers say of a run, and what comes of it?

board    a run and its decisions, as a table to ask      explain       why one run was kept or not
places   where each proposal lies on the map             explain_view  the same as text
widget   the board in Jupyter (static/: its page)        export        the reviewed vocabulary
lab      JupyterLab on a notebook for one run
"""
